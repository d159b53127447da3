// Three kinds of address that must not be confused. Host addresses are plain pointers.
#pragma once

#include "base/integers.h"

namespace pollux::memory {

struct GuestPhysicalTag {};
using PhysAddr = Strong<GuestPhysicalTag>;  // what a page table entry or a DMA descriptor holds

struct GuestVirtualTag {};
using VirtAddr = Strong<GuestVirtualTag>;  // after segmentation, before paging (the manual's linear address)

inline constexpr u64 kPageSize = 4096;
inline constexpr u64 kPageMask = kPageSize - 1;
inline constexpr unsigned kPageShift = 12;

}  // namespace pollux::memory
