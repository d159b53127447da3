// The host's huge pages.
#pragma once

#include <sys/mman.h>

#include "base/integers.h"

// Pages that are there already become huge ones: since Linux 6.1, which may be newer than the headers.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace pollux::host {

inline constexpr u64 kHugePage = u64{2} << 20;  // bytes
inline constexpr u64 up_to_huge_page(u64 at) { return (at + kHugePage - 1) & ~(kHugePage - 1); }
inline constexpr u64 down_to_huge_page(u64 at) { return at & ~(kHugePage - 1); }

}  // namespace pollux::host
