// R3: a backup runs no further than the last position that it knows the primary reached.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class NeverAhead final : public Checker {
 public:
  NeverAhead() : Checker("R3") {}

  void arrived(Side side, const failover::Message& message) override {
    if (side != Side::kB) return;
    if (const auto* log = std::get_if<failover::Log>(&message); log && !log->entries.empty()) {
      known_ = log->entries.back().position;
    }
  }
  void ran(Side side, door::Position position) override {
    if (side == Side::kB && !live_ && position > known_) {
      fail("the backup is at " + text(position) + " and knows only of " + text(known_));
    }
  }
  void live(Side side, failover::Generation, door::Position) override { live_ |= side == Side::kB; }

 private:
  door::Position known_;
  bool live_ = false;
};

}  // namespace pollux::simulation
