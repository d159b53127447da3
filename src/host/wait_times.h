// How long things waited: a histogram of fixed size, from which --json has percentiles. Each value is kept to a
// sixteenth of itself, rounded up. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include "base/integers.h"

namespace pollux::host {

class WaitTimes {
 public:
  void add(u64 ns) {
    ++counts_[place(ns)];
    ++count_;
    longest_ns_ = std::max(longest_ns_, ns);
  }

  u64 count() const { return count_; }
  u64 longest_ns() const { return longest_ns_; }
  // That many of a hundred took no longer. 0 when there were none.
  u64 percentile_ns(unsigned percent) const {
    u64 seen = 0;
    for (unsigned i = 0; i < kPlaces; ++i) {
      seen += counts_[i];
      if (seen > 0 && seen * 100 >= count_ * percent) return std::min(most(i), longest_ns_);
    }
    return longest_ns_;
  }

 private:
  // Values below kSteps have a place each; above, each doubling has kSteps places.
  static constexpr unsigned kStepBits = 4, kSteps = 1 << kStepBits;
  static constexpr unsigned kPlaces = (64 - kStepBits + 1) * kSteps;

  static unsigned place(u64 ns) {
    const unsigned shift = ns < kSteps ? 0 : unsigned(std::bit_width(ns)) - 1 - kStepBits;
    return shift * kSteps + unsigned(ns >> shift);
  }
  static u64 most(unsigned place) {
    if (place < 2 * kSteps) return place;
    const unsigned shift = place / kSteps - 1;
    return ((u64{kSteps} + place % kSteps) << shift) + ((u64{1} << shift) - 1);
  }

  std::array<u64, kPlaces> counts_{};
  u64 count_ = 0, longest_ns_ = 0;
};

}  // namespace pollux::host
