// Virtual time as a function of position: anchor + (position - anchor's position) * rate, with rate in nanoseconds
// per position, 32.32 fixed point, in exact integer arithmetic.
//
// Used by every machine. The anchor moves with a clock input and with a skip.
// Invariants
//  1. at() never decreases with the position, and moving the anchor never takes time back.
//  2. first_at(t) is the smallest position p >= anchor with at(p) >= t.
// Source: docs/determinism.md; design: the last clock input defines time from its position on.
#pragma once

#include "base/visit.h"
#include "door/position.h"

namespace pollux::machine {

class VirtualClock {
 public:
  explicit VirtualClock(u64 rate) : rate_(rate) {}

  // position: not before the anchor's.
  door::VirtualNs at(door::Position position) const {
    return anchor_time_ + u64((u128(position - anchor_position_) * rate_) >> 32);
  }
  door::Position first_at(door::VirtualNs time) const;

  // A clock input at position: time goes on from max(time there, now), at rate.
  void set(door::Position position, door::VirtualNs now, u64 rate);
  // Time jumps to time, not before the time at position.
  void jump(door::Position position, door::VirtualNs time) { set(position, time, rate_); }

  u64 rate() const { return rate_; }
  void visit(Visitor& v);

 private:
  door::Position anchor_position_;
  door::VirtualNs anchor_time_;
  u64 rate_;
};

}  // namespace pollux::machine
