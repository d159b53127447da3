// How whoever runs for a while is asked to return early, at a place of its own choice: something waits outside. A run
// without it (a replay) ends where it was told to.
#pragma once

#include <atomic>

#include "base/integers.h"

namespace pollux {

struct EarlyStop {
  const std::atomic<bool>* asked = nullptr;  // set by another thread; nullptr: never asked
  u64 look_every = 1 << 16;                  // instructions between two looks at it, about

  explicit operator bool() const { return asked; }
  bool is_asked() const { return asked && asked->load(std::memory_order_relaxed); }
};

}  // namespace pollux
