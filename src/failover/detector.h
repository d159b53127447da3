// The failure detector (R8): is the other side still there? Evidence is what arrives, over the channel and beside it.
//
// Invariants
//  1. A side that is heard within the timeout, by either way, is not suspected, unless its channel has been silent for
//     several timeouts: a peer that answers heartbeats but moves no log is of no use.
//  2. Silence is counted in time in which this side itself ran: what lies between two ticks counts as a heartbeat
//     interval at most, however long this side was stopped or how rarely a busy host lets it look.
//
// It decides nothing: who suspects asks the arbiter.
#pragma once

#include <string_view>

#include "failover/mutations.h"
#include "failover/timing.h"

namespace pollux::failover {

inline constexpr std::string_view kSilence = "nothing was heard from it within the timeout";

class Detector {
 public:
  Detector(Timing timing, u64 now_ns, Mutations mutations = {});

  void heard_channel(u64 now_ns);
  void heard_heartbeat(u64 now_ns);

  // Every tick_ns(), after everything that has arrived.
  void tick(u64 now_ns);

  bool suspects(u64 now_ns) const;

 private:
  Timing timing_;
  u64 channel_ns_;
  u64 heartbeat_ns_;
  u64 tick_ns_;
  Mutations mutations_;
};

}  // namespace pollux::failover
