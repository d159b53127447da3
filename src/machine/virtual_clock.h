// The time of a machine: a line whose anchor moves with a clock input and with a skip.
//
// Invariants
//  1. at() never decreases with the position, and moving the anchor never takes time back.
//  2. first_at(t) is the smallest position p >= anchor with at(p) >= t.
// Source: docs/determinism.md; design: the last clock input defines time from its position on.
#pragma once

#include "base/visit.h"
#include "door/time_line.h"

namespace pollux::machine {

class VirtualClock {
 public:
  explicit VirtualClock(u64 rate) : line_{.rate = rate} {}

  // position: not before the anchor's.
  door::VirtualNs at(door::Position position) const { return line_.at(position); }
  door::Position first_at(door::VirtualNs time) const;

  // A clock input at position: time goes on from max(time there, now), at rate.
  void set(door::Position position, door::VirtualNs now, u64 rate);
  // Time jumps to time, not before the time at position.
  void jump(door::Position position, door::VirtualNs time) { set(position, time, line_.rate); }

  u64 rate() const { return line_.rate; }
  const door::TimeLine& line() const { return line_; }
  void visit(Visitor& v);

 private:
  door::TimeLine line_;
};

}  // namespace pollux::machine
