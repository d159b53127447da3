#include "failover/lag.h"

#include <algorithm>

namespace pollux::failover {

SpeedController::Change SpeedController::tick(u64 lag_ns, u64 now_ns) {
  if (now_ns - changed_ns_ < policy_.step_ns) return Change::kNone;
  if (lag_ns > policy_.slow_ns && speed_ > policy_.lowest) {
    changed_ns_ = now_ns;
    speed_ = std::max(policy_.lowest, speed_ * policy_.lower);
    return Change::kLowered;
  }
  // Between the two thresholds the speed stays: that is the slight lag at which it settles.
  if (lag_ns < policy_.normal_ns && speed_ < 1) {
    changed_ns_ = now_ns;
    speed_ = std::min(1.0, speed_ * policy_.raise);
    if (speed_ == 1) return Change::kRestored;
  }
  return Change::kNone;
}

u64 SpeedController::pause_ns(u64 now_ns) const {
  const u64 phase_ns = now_ns % kPeriodNs;
  return speed_ < 1 && double(phase_ns) >= speed_ * kPeriodNs ? kPeriodNs - phase_ns : 0;
}

}  // namespace pollux::failover
