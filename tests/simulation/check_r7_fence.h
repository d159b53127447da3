// R7: once a side lives with a new generation, no write that the other side began with an older one reaches the storage.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class Fenced final : public Checker {
 public:
  Fenced() : Checker("R7") {}

  void live(Side side, failover::Generation generation, door::Position) override {
    newest_ = generation;
    owner_ = side;
  }
  void disk_landed(Side side, failover::Generation generation, const door::DiskOutput& request) override {
    const bool harmless =
        request.operation == door::DiskOperation::kRead || request.operation == door::DiskOperation::kFlush;
    if (!harmless && generation < newest_ && side != owner_) {
      fail(std::string("a write of ") + sim::name(side) + ", generation " + std::to_string(generation.value) +
           ", reached the disk after generation " + std::to_string(newest_.value) + " had begun");
    }
  }

 private:
  failover::Generation newest_;
  Side owner_ = Side::kA;
};

}  // namespace pollux::simulation
