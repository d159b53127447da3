// R4: a backup's outputs are dropped: nothing that it makes leaves it before it is promoted, and it writes to no disk.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class BackupIsSilent final : public Checker {
 public:
  BackupIsSilent() : Checker("R4") {}

  void performed(Side side, const door::Output& output) override {
    if (side == Side::kB && !live_) fail(std::string("a backup let out a ") + door::name(output));
  }
  void live(Side side, failover::Generation, door::Position) override { live_ |= side == Side::kB; }

 private:
  bool live_ = false;
};

}  // namespace pollux::simulation
