// R1: the primary appends an input to the log before it delivers it. Seen from outside: whenever the log speaks, it
// holds every input that the machine was told until then, in the same order and at the same positions.
#pragma once

#include <deque>

#include "checker.h"

namespace pollux::simulation {

class LogFirst final : public Checker {
 public:
  LogFirst() : Checker("R1") {}

  void delivered(Side side, door::Position position, const door::Input& input) override {
    if (side != Side::kA || alone_) return;
    if (!logged_early_.empty()) {
      if (logged_early_.front() != log::Entry{position, input}) fail("the log names another input than was delivered");
      logged_early_.pop_front();
      return;
    }
    told_.push_back({position, input});
  }
  void sent(Side side, const failover::Message& message) override {
    const auto* log = std::get_if<failover::Log>(&message);
    if (side != Side::kA || !log) return;
    for (const log::Entry& entry : log->entries) {
      if (!std::holds_alternative<door::Input>(entry.body)) continue;
      if (told_.empty()) {
        logged_early_.push_back(entry);
        continue;
      }
      if (told_.front() != entry) fail("the log's inputs are not those that were delivered");
      told_.pop_front();
    }
    if (!told_.empty()) fail("an input was delivered at " + text(told_.front().position) + " and is not in the log");
  }
  void event(Side side, const failover::Event& event) override {
    alone_ |= side == Side::kA && event.kind == failover::EventKind::kPeerLost;
    if (alone_) told_.clear();
  }

 private:
  std::deque<log::Entry> told_;          // delivered, not yet seen in the log
  std::deque<log::Entry> logged_early_;  // in the log, about to be delivered
  bool alone_ = false;
};

}  // namespace pollux::simulation
