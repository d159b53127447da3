// What several tests of this folder need: a folder that goes away, and waiting for an input of one kind.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "door/input.h"
#include "host/clock.h"
#include "world/world.h"

namespace pollux::host {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pollux_test.XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline constexpr u64 kPatienceNs = 10'000'000'000;

// The inputs of one world, one kind at a time.
class Arrivals {
 public:
  explicit Arrivals(world::World& world) : world_(world) {}

  // Waits until an input of kind T for which wanted() holds has arrived, and returns it; others pass by.
  template <class T>
  T await(const std::function<bool(const T&)>& wanted = [](const T&) { return true; }) {
    const u64 deadline = monotonic_ns() + kPatienceNs;
    while (monotonic_ns() < deadline) {
      if (kept_.empty()) world_.wait(deadline, kept_);
      for (std::size_t i = 0; i < kept_.size(); ++i) {
        T* input = std::get_if<T>(&kept_[i]);
        if (!input || !wanted(*input)) continue;
        T result = std::move(*input);
        kept_.erase(kept_.begin(), kept_.begin() + i64(i) + 1);
        return result;
      }
      kept_.clear();
    }
    ADD_FAILURE() << "no such input arrived within ten seconds";
    return {};
  }

 private:
  world::World& world_;
  std::vector<door::Input> kept_;
};

}  // namespace pollux::host
