// What a side's decisions oblige its driver to do, in the order of the fields. Collected with take() after every event;
// a driver performs all of it before it reports the next event.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "door/output.h"
#include "failover/event.h"
#include "failover/generation.h"
#include "failover/message.h"

namespace pollux::failover {

// What a backup does at the instant in which it becomes the primary (R6), in this order.
struct GoLive {
  Generation generation;
  bool announce = true;                    // the cards' addresses, so that switches learn the new place
  std::vector<door::OutputAt> send_again;  // perhaps never sent by the old primary
  bool reissue = true;                     // the disk requests that were issued and not completed, in guest order
};

struct Obligations {
  std::vector<Event> events;
  std::vector<Message> send;              // over the channel, in order, flushed at once
  std::vector<log::Entry> replay;         // backup: append to what the replaying machine consumes
  std::vector<door::OutputAt> release;    // to the world, in order, now: a later moment may be too late
  bool close_channel = false;             // after sending; what still arrives is not read
  std::optional<Generation> ask_arbiter;  // answered by arbiter_answered()
  std::optional<Generation> raise_fence;  // answered by fence_answered()
  std::optional<GoLive> go_live;          // backup only, once
  bool stopped = false;                   // the machine ended in order and everything is safe: end with success
  std::optional<Error> halt;              // end this side now and never touch the world again
};

}  // namespace pollux::failover
