// Somebody goes on: when misfortunes have ceased, a machine that has begun and has not ended runs on within ten
// timeouts, unless both hosts died, or the one died that had won the right to live alone. A primary whose backup is
// lost before its welcome has not begun: it says so and ends.
#pragma once

#include <array>
#include <optional>

#include "checker.h"

namespace pollux::simulation {

class Liveness final : public Checker {
 public:
  Liveness() : Checker("liveness") {}

  void finished(Side, door::Position) override { finished_ = true; }
  void event(Side side, const failover::Event& event) override {
    if (event.kind == failover::EventKind::kProtected) protected_[std::size_t(side)] = true;
    // A machine that ended on the primary counts where the backup heard of it.
    if (side == Side::kB && event.kind == failover::EventKind::kStopped) finished_ = true;
  }
  void claimed(Side side, failover::Generation generation, failover::ArbiterAnswer answer) override {
    if (answer == failover::ArbiterAnswer::kWon && generation > newest_) {
      newest_ = generation;
      winner_ = side;
    }
  }
  void conclude(const sim::Outcome& outcome) override {
    if (finished_ || outcome.calm_progress) return;
    const auto dead = [&](Side side) { return outcome.ended[std::size_t(side)] == Ended::kKilled; };
    if (dead(Side::kA) && dead(Side::kB)) return;
    if (!protected_[0] && !(protected_[1] && dead(Side::kA))) return;
    // The one that was alone was killed: there was nobody left.
    if (winner_ && dead(*winner_)) return;
    fail("nobody goes on");
  }

 private:
  bool finished_ = false;
  std::array<bool, 2> protected_{};
  failover::Generation newest_;
  std::optional<Side> winner_;
};

}  // namespace pollux::simulation
