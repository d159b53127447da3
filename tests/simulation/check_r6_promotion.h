// R6: a promoted backup has consumed everything it received and stands at its last position; it announces itself before
// anything else leaves it; and every disk request that was issued and not completed is issued again, in guest order.
#pragma once

#include <algorithm>
#include <deque>

#include "checker.h"

namespace pollux::simulation {

class PromotionInOrder final : public Checker {
 public:
  PromotionInOrder() : Checker("R6") {}

  void arrived(Side side, const failover::Message& message) override {
    if (side != Side::kB || lost_) return;
    if (const auto* log = std::get_if<failover::Log>(&message))
      for (const log::Entry& entry : log->entries) received_.push_back(entry);
  }
  void delivered(Side side, door::Position, const door::Input& input) override {
    if (side != Side::kB) return;
    if (const auto* done = std::get_if<door::DiskCompletionInput>(&input)) {
      std::erase_if(outstanding_, [&](const door::DiskOutput& r) { return r.request == done->request; });
    }
    if (live_) return;
    while (!received_.empty() && !std::holds_alternative<door::Input>(received_.front().body)) received_.pop_front();
    if (!received_.empty()) received_.pop_front();
  }
  void made(Side side, const door::OutputAt& output) override {
    if (side != Side::kB || live_) return;
    if (const auto* disk = std::get_if<door::DiskOutput>(&output.output)) outstanding_.push_back(*disk);
  }
  void event(Side side, const failover::Event& event) override {
    lost_ |= side == Side::kB && event.kind == failover::EventKind::kPeerLost;
  }
  void live(Side side, failover::Generation, door::Position position) override {
    if (side != Side::kB) return;
    live_ = true;
    for (const log::Entry& entry : received_) {
      if (std::holds_alternative<door::Input>(entry.body)) {
        return fail("an input at " + text(entry.position) + " was received and not consumed");
      }
      if (entry.position > position) fail("the primary reached " + text(entry.position) + ", the promotion did not");
    }
    to_reissue_ = outstanding_;
  }
  void announced(Side side) override { announced_ |= side == Side::kB; }
  void performed(Side side, const door::Output& output) override {
    if (side != Side::kB || !live_) return;
    if (!announced_) fail("something left before the announcement");
    const auto* disk = std::get_if<door::DiskOutput>(&output);
    if (!disk || to_reissue_.empty()) return;
    if (*disk != to_reissue_.front()) return fail("requests are not issued again in guest order");
    to_reissue_.pop_front();
  }
  void conclude(const sim::Outcome& outcome) override {
    // A side that died or ended meanwhile owes nothing.
    if (live_ && outcome.living[std::size_t(Side::kB)] && !to_reissue_.empty()) {
      fail(std::to_string(to_reissue_.size()) + " requests were never issued again");
    }
  }

 private:
  std::deque<log::Entry> received_;
  std::deque<door::DiskOutput> outstanding_;
  std::deque<door::DiskOutput> to_reissue_;
  bool lost_ = false;
  bool live_ = false;
  bool announced_ = false;
};

}  // namespace pollux::simulation
