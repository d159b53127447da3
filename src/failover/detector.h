// The failure detector (R8): is the other side still there? Evidence is what arrives, over the channel and beside it.
//
// Invariants
//  1. A side that is heard within the timeout, by either way, is not suspected, unless its channel has been silent for
//     several timeouts: a peer that answers heartbeats but moves no log is of no use.
//  2. Time in which this side itself did not run is not the other side's silence.
//
// It decides nothing: who suspects asks the arbiter.
#pragma once

#include "failover/timing.h"

namespace pollux::failover {

class Detector {
 public:
  Detector(Timing timing, u64 now_ns);

  void heard_channel(u64 now_ns);
  void heard_heartbeat(u64 now_ns);

  // At least once a heartbeat interval. A gap between two calls of more than half a timeout was this side's own pause.
  void tick(u64 now_ns);

  bool suspects(u64 now_ns) const;

 private:
  Timing timing_;
  u64 channel_ns_;
  u64 heartbeat_ns_;
  u64 tick_ns_;
};

}  // namespace pollux::failover
