// What one page walk found, and what an entry is: shared by walk.cc and mmu.cc only.
#pragma once

#include "cpu/mmu/mmu.h"

namespace pollux::cpu::mmu {

inline constexpr unsigned kRootLevel = 4;  // of 4-level paging; level 1 maps 4 KiB
inline constexpr u64 kPresent = 1;  // of an entry
inline constexpr u64 kAddressField = 0x000f'ffff'ffff'f000;

struct Mmu::Walk {
  u64 linear = 0;
  Access access = Access::kRead;
  View view = View::kUser;

  struct Step {
    memory::PhysAddr at;   // of the entry
    u64 entry = 0;
    u8 entry_size = 8;
    u8 level = 0;          // 1: maps 4 KiB
    u64 base = 0;          // linear address that the table's first entry maps
  };
  std::array<Step, 4> steps{};
  unsigned count = 0;
  u64 table = 0;
  bool done = false;
  bool user = true, writable = true, no_execute = false;  // rights of all levels together
  u32 error = 0;
  u64 physical = 0;
  std::byte* host_page = nullptr;
};

}  // namespace pollux::cpu::mmu
