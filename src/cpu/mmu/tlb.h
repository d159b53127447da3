// The software translation cache's tables: pure speed, invisible to the guest (see mmu.h for why).
//
// The data tables of a view of rights (Tlb) are for the current address space only: the linear page `tag` may be read,
// or written, at host page `host`, which is `distance` from it; a miss means nothing but "ask the Mmu". One comparison
// tells whether a whole access hits, page crossings included: (linear ^ tag) <= page size - size, and linear ^ tag is
// then the offset in the page. A slot without an entry holds the tag of a page of another slot. Each is a table of its
// own, so that the index that code extracts from an address is one that the host's processor scales.
//
// Entries of fetch tables hold guest-physical addresses and carry their address space in the tag's low bits.
#pragma once

#include <array>
#include <cstddef>

#include "memory/address.h"

namespace pollux::cpu::mmu {

// With whose rights an access is made. kSupervisorAc: supervisor with RFLAGS.AC set, which lifts SMAP.
enum class View : u8 { kUser, kSupervisor, kSupervisorAc };
inline constexpr unsigned kViews = 3;

enum class Access : u8 { kRead, kWrite, kFetch };

inline constexpr u8 kTlbIndexBits = 14;  // 64 MiB of a program's memory without a conflict
inline constexpr unsigned kTlbEntries = 1 << kTlbIndexBits;

inline constexpr unsigned tlb_index(u64 linear) { return (linear >> memory::kPageShift) & (kTlbEntries - 1); }
inline constexpr u64 no_page(unsigned index) { return u64(index ^ 1) << memory::kPageShift; }

struct Tlb {
  using Table = std::array<u64, kTlbEntries>;
  std::array<Table, 2> tags;    // [to be written]
  Table hosts{}, distances{};   // of the page that both tags name, if both name one

  Tlb() {
    for (Table& table : tags) {
      for (unsigned index = 0; index < kTlbEntries; ++index) table[index] = no_page(index);
    }
  }

  // Where so many bytes are in host memory; nullptr: a miss.
  std::byte* find(u64 linear, unsigned size, bool write) const {
    const unsigned index = tlb_index(linear);
    if ((linear ^ tags[write][index]) > memory::kPageSize - size) return nullptr;
    return reinterpret_cast<std::byte*>(linear + distances[index]);
  }
};

struct FetchEntry {
  u64 tag = ~u64{0};  // ~0: empty (address space 0xfff is never used)
  u64 addend = 0;     // physical minus linear
};

inline constexpr unsigned kFetchEntries = 1024;
using FetchTable = std::array<FetchEntry, kFetchEntries>;

inline constexpr unsigned fetch_index(u64 linear) { return (linear >> memory::kPageShift) & (kFetchEntries - 1); }
inline constexpr u64 fetch_tag(u64 linear, u64 space) { return (linear & ~memory::kPageMask) | space; }

}  // namespace pollux::cpu::mmu
