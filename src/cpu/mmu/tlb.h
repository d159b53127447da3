// The software translation cache's tables: pure speed, invisible to the guest (see mmu.h for why).
//
// An entry says: bytes of linear page (tag & ~0xfff), in address space (tag & 0xfff), may be accessed at host address
// linear + addend. One table for each kind of access and each view of rights; a miss means nothing but "ask the Mmu".
#pragma once

#include <array>

#include "memory/address.h"

namespace pollux::cpu::mmu {

// With whose rights an access is made. kSupervisorAc: supervisor with RFLAGS.AC set, which lifts SMAP.
enum class View : u8 { kUser, kSupervisor, kSupervisorAc };
inline constexpr unsigned kViews = 3;

enum class Access : u8 { kRead, kWrite, kFetch };

struct TlbEntry {
  u64 tag = ~u64{0};  // ~0: empty (address space 0xfff is never used)
  u64 addend = 0;
};

inline constexpr unsigned kTlbEntries = 1024;
using TlbTable = std::array<TlbEntry, kTlbEntries>;

inline constexpr unsigned tlb_index(u64 linear) { return (linear >> memory::kPageShift) & (kTlbEntries - 1); }

// The tag that an access of size bytes at linear must meet. An access that crosses a page never meets one.
inline constexpr u64 tlb_tag(u64 linear, unsigned size, u64 space) {
  return ((linear + size - 1) & ~memory::kPageMask) | space;
}

}  // namespace pollux::cpu::mmu
