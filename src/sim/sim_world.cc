#include "sim/sim_world.h"

namespace pollux::sim {
namespace {

constexpr u64 kInsideProcessNs = 5'000;

}  // namespace

SimWorld::SimWorld(Shared& shared, Side side, Network& network, SharedStorage& storage)
    : shared_(shared), side_(side), host_(shared.host(side)), network_(network), storage_(storage) {}

void SimWorld::fill_random(std::span<std::byte> bytes) {
  for (std::byte& byte : bytes) byte = std::byte(shared_.random.next());
}

void SimWorld::perform(const door::Output& output) {
  if (!host_.alive()) return;
  host_.post(kInsideProcessNs, [this, output] { leave(output); });
}

void SimWorld::leave(const door::Output& output) {
  shared_.tell(&Observer::performed, side_, output);
  if (const auto* packet = std::get_if<door::PacketOutput>(&output)) {
    network_.packet_out(side_, packet->frame);
  } else if (const auto* disk = std::get_if<door::DiskOutput>(&output)) {
    storage_.submit(side_, generation_, *disk, [this](door::DiskCompletionInput input) { arrive(std::move(input)); });
  }
}

void SimWorld::announce() {
  shared_.tell(&Observer::announced, side_);
  network_.announce(side_);
}

void SimWorld::arrive(door::Input input) {
  if (deaf_) return;
  inputs_.push_back(std::move(input));
  host_.wake();
}

void SimWorld::wait(u64 deadline_ns, std::vector<door::Input>& arrived) {
  const u64 now = now_ns();
  if (inputs_.empty() && deadline_ns > now) host_.sleep_or_wake(deadline_ns - now);
  for (door::Input& input : inputs_) arrived.push_back(std::move(input));
  inputs_.clear();
}

}  // namespace pollux::sim
