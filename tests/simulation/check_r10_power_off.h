// R10: a machine that ended stays ended. When the primary's machine ended in order and the primary knew that the backup
// knows, nobody brings it back; and without other misfortunes both sides end in order.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class PowerOff final : public Checker {
 public:
  PowerOff() : Checker("R10") {}

  void fault(std::string_view what) override { troubled_ |= what != "calm"; }
  void finished(Side side, door::Position) override {
    finished_ = true;
    if (side == Side::kA && !lives_) finished_protected_ = true;
  }
  void ended(Side side, Ended how) override {
    if (side == Side::kA && finished_protected_ && how == Ended::kStopped && !lives_) agreed_ = true;
  }
  void live(Side side, failover::Generation, door::Position) override {
    lives_ = true;
    if (agreed_ && side == Side::kB) fail("the backup brought back a machine that had ended");
    if (finished_protected_ && !troubled_) fail("a power-off was taken for a failure");
  }
  void conclude(const sim::Outcome& outcome) override {
    if (!finished_protected_ || troubled_) return;
    for (const Side side : {Side::kA, Side::kB})
      if (outcome.ended[std::size_t(side)] != Ended::kStopped) {
        fail(std::string(sim::name(side)) + " did not end with the machine");
      }
  }

 private:
  bool troubled_ = false;
  bool finished_ = false;
  bool finished_protected_ = false;
  bool agreed_ = false;
  bool lives_ = false;
};

}  // namespace pollux::simulation
