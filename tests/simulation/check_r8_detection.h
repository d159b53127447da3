// R8: who is there is heard, who was heard is not taken for lost, and who is not heard is. T is the timeout.
//
// While a side takes the pair for whole, and as far as it runs (a paused host neither speaks nor listens):
//  1. It speaks on both ways: a heartbeat every T/10, a message over the channel at least every 3T/20.
//  2. It gives the other side up for its silence only if it heard nothing for T, or nothing over the channel for 3T:
//     of what the network really brought it.
//  3. It gives it up no later than two ticks after that.
// So a pair breaks without a death only if the network withheld everything for T, which 1 makes nine heartbeats and six
// messages in a row at the least, or the channel for 3T. And what that comes to for the whole:
//  4. Without misfortune a pair whose channel is never later than 5T/6 holds, whatever heartbeats are lost.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "checker.h"
#include "failover/detector.h"

namespace pollux::simulation {

class Detection final : public Checker {
 public:
  Detection() : Checker("R8") {}

  void paused(Side side, u64 until_ns) override { of(side).pauses.push_back({now_ns(), until_ns}); }
  void fault(std::string_view what) override { misfortune_ |= what != "calm"; }
  void ended(Side side, Ended) override {
    look();
    of(side).whole = false;
    misfortune_ = true;
  }
  void lagged(Side, u64) override { look(); }
  void sent(Side side, const failover::Message&) override {
    look();
    of(side).spoke_ns = now_ns();
    of(side).under_way.push_back(now_ns());
  }
  void arrived(Side side, const failover::Message&) override {
    look();
    of(side).channel_ns = of(side).heard_ns = now_ns();
    std::deque<u64>& under_way = of(sim::other(side)).under_way;
    latest_ns_ = std::max(latest_ns_, now_ns() - under_way.front());
    under_way.pop_front();
  }
  void beat(Side side, const failover::Heartbeat&) override {
    look();
    of(side).beat_ns = now_ns();
  }
  void heard(Side side, const failover::Heartbeat& heartbeat) override {
    look();
    if (heartbeat.sent_ns <= of(side).newest_beat) return;  // late or doubled: no sign of life
    of(side).newest_beat = heartbeat.sent_ns;
    of(side).heard_ns = now_ns();
  }
  void event(Side side, const failover::Event& event) override {
    look();
    switch (event.kind) {
      case failover::EventKind::kProtected: return pair_begins(of(side));
      case failover::EventKind::kPeerLost: gave_up(side, event.sentence); break;
      case failover::EventKind::kStopped:
      case failover::EventKind::kHalted: break;
      default: return;
    }
    of(side).whole = false;
    broken_ = true;
  }
  void conclude(const sim::Outcome&) override { look(); }

 private:
  static constexpr failover::Timing kTiming{};
  static constexpr u64 kSlackNs = 1'000'000;  // clocks of unequal speed

  struct Pause {
    u64 from_ns, until_ns;
  };
  struct Half {
    bool whole = false;  // takes the pair for whole
    u64 beat_ns = 0, spoke_ns = 0;
    u64 heard_ns = 0, channel_ns = 0;  // heard: by either way
    u64 newest_beat = 0;
    std::deque<u64> under_way;  // when each message was sent that has not arrived
    std::vector<Pause> pauses;
  };
  Half& of(Side side) { return halves_[std::size_t(side)]; }

  void pair_begins(Half& half) {
    half.whole = true;
    half.beat_ns = half.spoke_ns = half.heard_ns = half.channel_ns = now_ns();
  }

  // For how long the host ran since then.
  u64 ran_since(const Half& half, u64 from_ns) const {
    u64 ran_ns = now_ns() - from_ns;
    for (const Pause& pause : half.pauses) {
      const u64 begin_ns = std::max(from_ns, pause.from_ns), end_ns = std::min(now_ns(), pause.until_ns);
      if (begin_ns < end_ns) ran_ns -= std::min(ran_ns, end_ns - begin_ns);
    }
    return ran_ns;
  }

  void look() {
    for (const Side side : {Side::kA, Side::kB}) {
      if (of(side).whole) look(of(side), sim::name(side));
    }
  }
  void look(const Half& half, const std::string& name) {
    const u64 tick_ns = kTiming.tick_ns();
    const auto silent = [&](u64 since_ns, u64 most_ns) { return ran_since(half, since_ns) > most_ns + kSlackNs; };
    if (silent(half.beat_ns, kTiming.heartbeat_ns())) fail(name + " sends no heartbeat");
    if (silent(half.spoke_ns, kTiming.keep_alive_ns() + tick_ns)) fail(name + " says nothing over the channel");
    if (silent(half.heard_ns, kTiming.timeout_ns + 2 * tick_ns)) fail(name + " hears nothing and does not notice");
    if (silent(half.channel_ns, kTiming.channel_silence_ns() + 2 * tick_ns)) {
      fail(name + " does not notice that the channel stands still");
    }
  }

  void gave_up(Side side, const std::string& why) {
    const bool first = !std::exchange(broken_, true);
    if (why.ends_with(failover::kSilence)) {
      const Half& half = of(side);
      // A tick that was late for a pause counts as a heartbeat interval of silence.
      const u64 slack_ns = kSlackNs + half.pauses.size() * kTiming.heartbeat_ns();
      const u64 heard_ns = ran_since(half, half.heard_ns) + slack_ns;
      const u64 channel_ns = ran_since(half, half.channel_ns) + slack_ns;
      if (heard_ns < kTiming.timeout_ns && channel_ns < kTiming.channel_silence_ns()) {
        fail(std::string(sim::name(side)) + " gave the other side up though it was heard within the timeout");
      }
    } else if (first && !misfortune_) {
      fail("the pair broke though nothing had happened: " + why);
    }
    if (first && !misfortune_ && latest() <= kTiming.timeout_ns * 5 / 6) {
      fail("the pair broke though nothing had happened and no message was late: " + why);
    }
  }

  // How late the channel has been at most, what is still under way included.
  u64 latest() const {
    u64 latest_ns = latest_ns_;
    for (const Half& half : halves_) {
      if (!half.under_way.empty()) latest_ns = std::max(latest_ns, now_ns() - half.under_way.front());
    }
    return latest_ns;
  }

  std::array<Half, 2> halves_;
  u64 latest_ns_ = 0;
  bool misfortune_ = false;
  bool broken_ = false;
};

}  // namespace pollux::simulation
