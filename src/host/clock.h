// The host's clocks, and random bytes from its kernel.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/integers.h"

namespace pollux::host {

u64 monotonic_ns();  // the clock of std::chrono::steady_clock
u64 unix_ns();       // since 1970 UTC
void fill_random(std::span<std::byte> bytes);

inline constexpr u64 kNanosecondsPerMs = 1'000'000;

}  // namespace pollux::host
