// How far the backup is behind, in real time, and what the primary does about it (R9).
//
// Under 100 ms is normal. Above one second the primary's speed falls by a few per cent at a time while the lag lasts,
// and rises again, more slowly, as the backup catches up: a slow loop that settles at a slight lag rather than one that
// swings. A backup that is still too far behind is dropped; the policy says how far that is.
#pragma once

#include "base/integers.h"

namespace pollux::failover {

struct LagPolicy {
  u64 normal_ns = 100'000'000;
  u64 slow_ns = 1'000'000'000;
  u64 drop_ns = 30'000'000'000;
  u64 step_ns = 250'000'000;  // between two changes of speed
  double lower = 0.97;
  double raise = 1.01;
  double lowest = 0.10;
};

class LagMeter {
 public:
  // sent_ns: when the oldest entry was sent that the backup has not consumed; 0: it has consumed all it has.
  void behind(u64 sent_ns) { sent_ns_ = sent_ns; }
  u64 lag_ns(u64 now_ns) const { return sent_ns_ != 0 && now_ns > sent_ns_ ? now_ns - sent_ns_ : 0; }

 private:
  u64 sent_ns_ = 0;
};

class SpeedController {
 public:
  explicit SpeedController(LagPolicy policy) : policy_(policy) {}

  enum class Change : u8 { kNone, kLowered, kRestored };
  Change tick(u64 lag_ns, u64 now_ns);

  // The share of real time in which the primary's machine may run, in (0, 1].
  double speed() const { return speed_; }
  bool drop(u64 lag_ns) const { return lag_ns > policy_.drop_ns; }
  // How long the machine pauses from now on: of every period, the last part.
  u64 pause_ns(u64 now_ns) const;

 private:
  static constexpr u64 kPeriodNs = 10'000'000;
  LagPolicy policy_;
  double speed_ = 1;
  u64 changed_ns_ = 0;
};

}  // namespace pollux::failover
