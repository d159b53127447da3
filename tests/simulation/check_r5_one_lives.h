// R5: either side goes live only by winning the arbiter for the next generation, at most one ever wins it, and the
// other one lets nothing out any more that the winner does not know of. What the loser still releases was acknowledged
// and made before the winner's life began: a packet that was late, not a second life.
#pragma once

#include <map>
#include <optional>

#include "checker.h"

namespace pollux::simulation {

class OneLives final : public Checker {
 public:
  OneLives() : Checker("R5") {}

  void claimed(Side side, failover::Generation generation, failover::ArbiterAnswer answer) override {
    if (answer != failover::ArbiterAnswer::kWon) return;
    const auto [winner, first] = winners_.try_emplace(generation.value, side);
    if (winner->second != side) fail("two sides won generation " + std::to_string(generation.value));
  }
  void live(Side side, failover::Generation generation, door::Position position) override {
    const auto winner = winners_.find(generation.value);
    if (winner == winners_.end() || winner->second != side) {
      fail(std::string(sim::name(side)) + " lives without having won generation " + std::to_string(generation.value));
    }
    if (lives_ && *lives_ != side) fail("both sides live");
    lives_ = side;
    since_ = position;
  }
  void released(Side side, const door::OutputAt& output) override {
    if (lives_ && *lives_ != side && output.position > since_) {
      fail(std::string(sim::name(side)) + " let out what the other side's life does not know of");
    }
  }

 private:
  std::map<u64, Side> winners_;
  std::optional<Side> lives_;
  door::Position since_;
};

}  // namespace pollux::simulation
