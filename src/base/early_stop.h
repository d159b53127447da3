// How whoever runs for a while is asked to return early, at a place of its own choice: something waits outside, or it
// has run for long enough. That costs less than a run to a position, whose end is exact. A run without it (a replay)
// ends where it was told to.
#pragma once

#include <atomic>

#include "base/integers.h"

namespace pollux {

struct EarlyStop {
  const std::atomic<bool>* asked = nullptr;  // set by another thread; nullptr: never asked
  u64 look_every = 1 << 16;                  // instructions between two looks, about
  u64 enough = ~u64{0};                      // the position from which on a look ends the run anyway

  explicit operator bool() const { return asked || enough < ~u64{0}; }
  bool is_asked() const { return asked && asked->load(std::memory_order_relaxed); }
  bool is_asked_at(u64 position) const { return position >= enough || is_asked(); }
};

}  // namespace pollux
