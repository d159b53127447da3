#include "machine/virtual_clock.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::machine {

door::Position VirtualClock::first_at(door::VirtualNs time) const {
  if (time <= line_.time) return line_.from;
  if (time == door::kNever) return door::kEndOfTime;
  // (p - anchor) * rate >= wanted << 32
  const u128 wanted = u128(time - line_.time) << 32;
  const u128 steps = (wanted + line_.rate - 1) / line_.rate;
  const u64 room = door::kEndOfTime - line_.from;
  return steps >= room ? door::kEndOfTime : line_.from + u64(steps);
}

void VirtualClock::set(door::Position position, door::VirtualNs now, u64 rate) {
  POLLUX_CHECK(rate > 0, "a clock that stands still would stop timers for ever");
  line_.time = std::max(at(position), now);
  line_.from = position;
  line_.rate = rate;
}

void VirtualClock::visit(Visitor& v) {
  v.field("anchor_position", line_.from);
  v.field("anchor_time", line_.time);
  v.field("rate", line_.rate);
}

}  // namespace pollux::machine
