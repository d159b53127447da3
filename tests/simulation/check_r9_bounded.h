// R9: buffers are bounded; and a backup that is merely slow is waited for: its lag settles instead of growing.
#pragma once

#include "checker.h"

namespace pollux::simulation {

class Bounded final : public Checker {
 public:
  Bounded() : Checker("R9") {}

  void buffered(Side, u64 bytes, u64 limit) override {
    // Beyond the limit there is what one slice and the channel hold.
    if (bytes > limit + (16 << 10)) fail("the backup holds " + std::to_string(bytes) + " bytes");
  }
  void lagged(Side, u64 lag_ns) override {
    constexpr u64 kSettled = 5'000'000'000;
    if (!troubled_ && lag_ns > kSettled) fail("the backup is " + std::to_string(lag_ns / 1'000'000) + " ms behind");
  }
  void fault(std::string_view) override { troubled_ = true; }

 private:
  bool troubled_ = false;
};

}  // namespace pollux::simulation
