#include "machine/virtual_clock.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::machine {

door::Position VirtualClock::first_at(door::VirtualNs time) const {
  if (time <= anchor_time_) return anchor_position_;
  if (time == door::kNever) return door::kEndOfTime;
  // (p - anchor) * rate >= wanted << 32
  const u128 wanted = u128(time - anchor_time_) << 32;
  const u128 steps = (wanted + rate_ - 1) / rate_;
  const u64 room = door::kEndOfTime - anchor_position_;
  return steps >= room ? door::kEndOfTime : anchor_position_ + u64(steps);
}

void VirtualClock::set(door::Position position, door::VirtualNs now, u64 rate) {
  POLLUX_CHECK(rate > 0, "a clock that stands still would stop timers for ever");
  anchor_time_ = std::max(at(position), now);
  anchor_position_ = position;
  rate_ = rate;
}

void VirtualClock::visit(Visitor& v) {
  v.field("anchor_position", anchor_position_);
  v.field("anchor_time", anchor_time_);
  v.field("rate", rate_);
}

}  // namespace pollux::machine
