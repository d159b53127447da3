// The one timeout (R8) and every other time that follows from it. Nanoseconds; no clock is read here.
#pragma once

#include "base/integers.h"

namespace pollux::failover {

struct Timing {
  u64 timeout_ns = 300'000'000;  // silence after which the other side counts as lost

  // Between two looks at the time, and the most that one look may count as the other side's silence.
  u64 tick_ns() const { return timeout_ns / 20; }
  // Eight lost heartbeats in a row are no failure.
  u64 heartbeat_ns() const { return timeout_ns / 10; }
  // Who has said nothing over the channel for this long says so at the next tick, on both sides: an idle machine is not
  // taken for a dead one, and neither is a side that has nothing to acknowledge because the other's messages are late.
  u64 keep_alive_ns() const { return timeout_ns / 10; }
  // How long after its send time an acknowledged message lets the primary's outputs go. Shorter than the timeout: the
  // primary falls silent towards the world before the backup may speak. The difference covers clocks of unequal speed.
  u64 lease_ns() const { return timeout_ns * 2 / 3; }
  // A channel that is silent while heartbeats arrive has this long (a lost TCP segment costs its retransmission).
  u64 channel_silence_ns() const { return timeout_ns * 3; }
  // Between two questions to an arbiter that does not answer.
  u64 retry_ns() const { return timeout_ns / 3; }
  // A running primary tells its position at least this often, so that the backup is never far behind.
  u64 reached_ns() const { return timeout_ns / 30; }
  // For a hello to be answered: the backup makes a machine meanwhile.
  u64 hello_ns() const { return timeout_ns * 100; }
};

}  // namespace pollux::failover
