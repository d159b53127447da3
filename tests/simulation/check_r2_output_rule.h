// R2: an output made at a position leaves a protected primary only after an acknowledgement reached it of the log up to
// an entry at that position or later.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class OutputRule final : public Checker {
 public:
  OutputRule() : Checker("R2") {}

  void sent(Side side, const failover::Message& message) override {
    if (side != Side::kA) return;
    if (const auto* log = std::get_if<failover::Log>(&message))
      for (const log::Entry& entry : log->entries) positions_.push_back(entry.position);
  }
  void arrived(Side side, const failover::Message& message) override {
    if (side != Side::kA) return;
    if (const auto* ack = std::get_if<failover::Ack>(&message)) acknowledged_ = std::max(acknowledged_, ack->received);
  }
  void released(Side side, const door::OutputAt& output) override {
    if (side != Side::kA || alone_) return;
    if (acknowledged_ == 0 || positions_[acknowledged_ - 1] < output.position) {
      fail("an output made at " + text(output.position) + " left before the backup knew of it");
    }
  }
  void live(Side side, failover::Generation, door::Position) override { alone_ |= side == Side::kA; }

 private:
  std::vector<door::Position> positions_;
  u64 acknowledged_ = 0;
  bool alone_ = false;
};

}  // namespace pollux::simulation
