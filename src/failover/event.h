// What happened to a pair, for the operator and for tests: a kind to decide on and one sentence to read.
#pragma once

#include <string>

#include "base/integers.h"

namespace pollux::failover {

enum class EventKind : u8 {
  kProtected,           // the backup follows
  kPeerLost,            // silence, a closed channel, or the peer said that it leaves
  kArbiterUnreachable,  // waiting
  kArbiterLost,         // the other side lives: this one halts
  kUnprotected,         // the primary goes on alone
  kPromoted,            // the backup is now the primary
  kStalled,             // the backup's buffer is full: the primary waits
  kSlowed,              // the primary's speed was lowered
  kRestored,            // and is full again
  kDropped,             // the backup cannot keep up: the primary goes on without it
  kDiverged,            // two copies of one machine differ
  kStopped,             // the machine ended in order, on both sides
  kHalted,              // this side ends without the machine having ended
};

const char* name(EventKind kind);

struct Event {
  EventKind kind;
  std::string sentence;
};

}  // namespace pollux::failover
