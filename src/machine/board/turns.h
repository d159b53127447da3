// Whose turn it is among the processors of a machine, and when the turn ends.
//
// The rule (docs/determinism.md, "Several processors"): processors run one at a time, in the order of their numbers,
// each for kQuantum positions. A turn ends early where its processor can run no longer (it halted, or waits to be
// started), and after a PAUSE while another one can run. The next turn is the next processor's that can run. It is
// decided just before an instruction executes, from the machine's state at that position, so the slices in which a
// session runs the machine have no part in it. A turn that is interrupted by idleness goes on afterwards.
//
// With one processor there are no turns to end, and nothing is visited.
#pragma once

#include "base/check.h"
#include "base/visit.h"
#include "door/position.h"

namespace pollux::machine::board {

class Turns {
 public:
  // Long enough that changing processors costs little, short enough that a wake-up waits less than a guest's tick:
  // seven other processors make about two virtual milliseconds.
  static constexpr u64 kQuantum = 16384;

  explicit Turns(u32 processors) : processors_(processors) {
    if (processors_ > 1) ends_ = door::Position(kQuantum);
  }

  u32 current() const { return current_; }
  // The position before which the current turn ends, if nothing ends it early.
  door::Position ends() const { return ends_; }

  // PAUSE: the turn ends at a position, that behind the instruction.
  void end(door::Position at) { ends_ = at; }

  // Decides who executes the instruction at `here`. can_run(u32) holds for at least one.
  template <class CanRun>
  void choose(door::Position here, CanRun can_run) {
    if (here < ends_ && can_run(current_)) return;
    for (u32 tried = 0; tried < processors_; ++tried) {
      current_ = current_ + 1 < processors_ ? current_ + 1 : 0;
      if (!can_run(current_)) continue;
      ends_ = here + kQuantum;
      return;
    }
    POLLUX_CHECK(false, "somebody can run");
  }

  void visit(Visitor& v) {
    if (processors_ == 1) return;
    v.field("turn", current_);
    v.field("turn_ends", ends_);
  }

 private:
  u32 processors_;
  u32 current_ = 0;
  door::Position ends_ = door::kEndOfTime;
};

}  // namespace pollux::machine::board
