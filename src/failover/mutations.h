// Faults in the protocol itself, for the tests of the tests: each takes one rule away, and a checker of the
// simulation must then fail (tests/simulation/mutation_test.cc). Nothing but MutationTest can switch one on.
#pragma once

#include "base/integers.h"

namespace pollux::failover {

enum class Mutation : u8 {
  kDeliverBeforeAppend,     // R1
  kReleaseWithoutAck,       // R2
  kRunPastTheLog,           // R3
  kBackupPerforms,          // R4
  kGoLiveWithoutArbiter,    // R5
  kLoserGoesOn,             // R5
  kPromoteBeforeConsuming,  // R6
  kForgetOutstanding,       // R6
  kForgetAnnouncement,      // R6
  kForgetFence,             // R7
  kForgetKeepAlive,         // R8
  kForgetHeartbeat,         // R8
  kDeafToHeartbeats,        // R8
  kSuspectEarly,            // R8
  kCountOwnPause,           // R8
  kNeverSuspect,            // R8
  kUnboundedBuffer,         // R9
  kNeverSlowDown,           // R9
  kForgetEnd,               // R10
  kIgnoreOverlaps,          // R13
  kBackupReads,             // R14
};

class Mutations {
 public:
  bool has(Mutation mutation) const { return bits_ >> u8(mutation) & 1; }

 private:
  friend struct MutationTest;
  u32 bits_ = 0;
};

}  // namespace pollux::failover
