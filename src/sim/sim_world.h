// The world of one simulated side: its host's clock, the clients' network and the shared disk. What it performs is on
// its way inside the process for a moment, in which a pause may come.
#pragma once

#include <functional>

#include "sim/network.h"
#include "sim/shared_storage.h"
#include "world/world.h"

namespace pollux::sim {

class SimWorld final : public world::World {
 public:
  SimWorld(Shared& shared, Side side, Network& network, SharedStorage& storage);

  u64 now_ns() override { return host_.clock_ns(); }
  u64 unix_ns() override { return kBirth + host_.clock_ns(); }
  void fill_random(std::span<std::byte> bytes) override;
  void perform(const door::Output& output) override;
  void wait(u64 deadline_ns, std::vector<door::Input>& arrived) override;
  void notify() override { host_.wake(); }

  void arrive(door::Input input);
  void announce();
  void set_generation(failover::Generation generation) { generation_ = generation; }
  // A following backup has its cards plugged in and its machine deaf.
  void set_deaf(bool deaf) { deaf_ = deaf; }

 private:
  static constexpr u64 kBirth = 1'700'000'000'000'000'000;
  void leave(const door::Output& output);

  Shared& shared_;
  Side side_;
  Host& host_;
  Network& network_;
  SharedStorage& storage_;
  failover::Generation generation_;
  std::vector<door::Input> inputs_;
  bool deaf_ = false;
};

}  // namespace pollux::sim
