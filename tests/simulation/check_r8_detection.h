// R8: a pair without misfortune stays a pair, however idle; and a dead side is found out within the timeout.
#pragma once

#include <optional>

#include "checker.h"

namespace pollux::simulation {

class Detection final : public Checker {
 public:
  Detection() : Checker("R8") {}

  void fault(std::string_view what) override {
    if (what == "calm") return;
    ++faults_;
    if (!found_ns_) death_.reset();  // two misfortunes at once promise nothing
  }
  void ended(Side side, Ended how) override {
    if (how == Ended::kStopped) stopped_ = true;
    if (how == Ended::kKilled && faults_ == 1 && both_) death_ = {side, now_ns()};
    ++faults_;
  }
  void finished(Side, door::Position) override { stopped_ = true; }
  void event(Side side, const failover::Event& event) override {
    if (side == Side::kB && event.kind == failover::EventKind::kProtected) both_ = true;
    if (event.kind != failover::EventKind::kPeerLost) return;
    if (faults_ == 0 && !stopped_) fail("the pair broke though nothing had happened: " + event.sentence);
    if (death_ && side != death_->side && !found_ns_) found_ns_ = now_ns();
  }
  void conclude(const sim::Outcome& outcome) override {
    // Only where the survivor lived through its own time.
    if (!death_ || stopped_ || !outcome.living[std::size_t(sim::other(death_->side))]) return;
    constexpr u64 kWithin = 450'000'000;  // timeout, a late message, and a tick
    if (!found_ns_ || *found_ns_ - death_->at_ns > kWithin) fail("a death was not found out in time");
  }

 private:
  struct Death {
    Side side;
    u64 at_ns;
  };
  int faults_ = 0;
  bool both_ = false;
  bool stopped_ = false;
  std::optional<Death> death_;
  std::optional<u64> found_ns_;
};

}  // namespace pollux::simulation
