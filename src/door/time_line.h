// Virtual time as a function of position: a line through an anchor, in exact integer arithmetic.
#pragma once

#include "door/position.h"

namespace pollux::door {

struct TimeLine {
  Position from;  // the anchor
  VirtualNs time;
  u64 rate = 0;  // nanoseconds per position, 32.32 fixed point

  // position: not before the anchor's.
  VirtualNs at(Position position) const { return time + u64((u128(position - from) * rate) >> 32); }
};

}  // namespace pollux::door
