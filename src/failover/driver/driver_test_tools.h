// What the driver's tests need: a folder that goes away, and a world without devices: packets and console are counted,
// the disk is memory that two worlds (and two processes) can share.
#pragma once

#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "world/world.h"

namespace pollux::failover::driver {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pollux_pair.XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class MemoryWorld final : public world::World {
 public:
  MemoryWorld(std::span<std::byte> disk, std::function<void(const door::Output&)> seen)
      : disk_(disk), seen_(std::move(seen)) {}

  u64 now_ns() override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return u64(now.tv_sec) * 1'000'000'000 + u64(now.tv_nsec);
  }
  u64 unix_ns() override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return u64(now.tv_sec) * 1'000'000'000 + u64(now.tv_nsec);
  }
  void fill_random(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) byte = std::byte(::random());
  }
  void perform(const door::Output& output) override {
    seen_(output);
    const auto* disk = std::get_if<door::DiskOutput>(&output);
    if (!disk) return;
    door::DiskCompletionInput done{disk->disk, disk->request, door::DiskStatus::kOk, {}};
    const auto at = disk_.begin() + std::ptrdiff_t(disk->offset);
    if (disk->operation == door::DiskOperation::kRead) done.data.assign(at, at + std::ptrdiff_t(disk->length));
    if (disk->operation == door::DiskOperation::kWrite) std::ranges::copy(disk->data, at);
    arrive(std::move(done));
  }
  void wait(u64 deadline_ns, std::vector<door::Input>& arrived) override {
    std::unique_lock lock(mutex_);
    const u64 now = now_ns();
    if (deadline_ns > now) {
      const auto patience = std::chrono::nanoseconds(std::min<u64>(deadline_ns - now, 1'000'000'000));
      changed_.wait_for(lock, patience, [this] { return notified_ || !inputs_.empty(); });
    }
    notified_ = arrival_ = false;
    for (door::Input& input : inputs_) arrived.push_back(std::move(input));
    inputs_.clear();
  }
  void notify() override {
    {
      std::lock_guard lock(mutex_);
      notified_ = arrival_ = true;
    }
    changed_.notify_all();
  }
  void arrive(door::Input input) {
    {
      std::lock_guard lock(mutex_);
      inputs_.push_back(std::move(input));
      arrival_ = true;
    }
    changed_.notify_all();
  }
  const std::atomic<bool>* arrival() const override { return &arrival_; }

 private:
  std::span<std::byte> disk_;
  std::function<void(const door::Output&)> seen_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<door::Input> inputs_;
  bool notified_ = false;
  std::atomic<bool> arrival_ = false;
};

}  // namespace pollux::failover::driver
