// The storage that both hosts of a simulated pair see: the arbiter's generations, the fence, and one disk that is late,
// finishes requests in any order, and keeps or forgets what was in flight when a host died. A completed write is
// durable (write-through).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "failover/arbiter.h"
#include "failover/mutations.h"
#include "sim/shared.h"
#include "storage/overlap_order.h"

namespace pollux::sim {

struct StorageWeather {
  u64 latency_ns = 200'000;
  u64 jitter_ns = 800'000;
  double spike = 0;
  u64 spike_ns = 0;
};

class SharedStorage {
 public:
  static constexpr u64 kBlockBytes = 512;

  SharedStorage(Shared& shared, StorageWeather weather, u64 blocks, failover::Mutations mutations)
      : shared_(shared), weather_(weather), mutations_(mutations), content_(blocks * kBlockBytes) {}

  // The arbiter. The answer comes on the host, later; an answer may be lost though the claim was made.
  void claim(Side side, failover::Generation generation, std::function<void(failover::ArbiterAnswer)> answered);

  // The fence, as one side sees it.
  failover::FenceAnswer enter(Side side, failover::Generation generation);
  void leave(Side side);
  failover::FenceAnswer raise(Side side, failover::Generation generation);

  // The disk. completed is called on the host.
  using Completed = std::function<void(door::DiskCompletionInput)>;
  void submit(Side side, failover::Generation generation, const door::DiskOutput& request, Completed completed);

  void cut(Side side) { cut_[std::size_t(side)] = true; }
  void heal(Side side);
  void set_weather(StorageWeather weather) { weather_ = weather; }
  void died(Side side);

  const Bytes& content() const { return content_; }
  bool reachable(Side side) const { return !cut_[std::size_t(side)]; }
  std::size_t in_flight() const { return requests_.size(); }

 private:
  struct Request {
    Side side;
    failover::Generation generation;
    door::DiskOutput output;
    Completed completed;
    bool started = false;
    bool abandoned = false;  // its host is dead
  };
  u64 latency();
  void start(u64 ticket);
  void land(u64 ticket);
  void finish(u64 ticket);

  Shared& shared_;
  StorageWeather weather_;
  failover::Mutations mutations_;
  Bytes content_;
  std::map<u64, Side> winners_;
  u64 fence_ = 0;
  std::optional<Side> inside_;
  std::array<bool, 2> cut_{};
  std::array<std::vector<std::function<void()>>, 2> waiting_;  // for the cut to end
  std::array<storage::OverlapOrder, 2> order_;
  std::map<u64, Request> requests_;
  u64 next_ticket_ = 1;
};

// The fence as failover knows it.
class SideFence final : public failover::Fence {
 public:
  SideFence(SharedStorage& storage, Side side) : storage_(storage), side_(side) {}
  failover::FenceAnswer enter(failover::Generation g) override { return storage_.enter(side_, g); }
  void leave() override { storage_.leave(side_); }
  failover::FenceAnswer raise(failover::Generation g) override { return storage_.raise(side_, g); }

 private:
  SharedStorage& storage_;
  Side side_;
};

}  // namespace pollux::sim
