// What lies below 1 MiB after loading, and the memory map that the guest is told. One place, so that nothing
// overlaps by accident.
//
//   00500  descriptor table for the first instruction
//   01000  boot_params | hvm_start_info | multiboot information
//   02000  memory map and module list for PVH
//   03000  setup_data with the random seed
//   04000  page tables, 6 pages: the first 4 GiB at their own addresses
//   10000  command line
//   20000  top of a small stack for ELF kernels
//   9fc00  end of usable memory below 640 KiB
//   e0000  ACPI tables
#pragma once

#include <vector>

#include "memory/guest_memory.h"

namespace pollux::machine::boot {

inline constexpr u64 kGdtAt = 0x500;
inline constexpr u64 kParamsAt = 0x1000;
inline constexpr u64 kModulesAt = 0x2000;
inline constexpr u64 kSetupDataAt = 0x3000;
inline constexpr u64 kPageTablesAt = 0x4000;
inline constexpr u64 kCommandLineAt = 0x10000;
inline constexpr u64 kCommandLineRoom = 0x8000;  // with the final zero
inline constexpr u64 kStackTop = 0x20000;
inline constexpr u64 kLowEnd = 0x9fc00;
inline constexpr u64 kAcpiAt = 0xe0000;
inline constexpr u64 kAcpiEnd = 0x100000;
inline constexpr u64 kOneMegabyte = 0x100000;

enum class RangeType : u32 { kUsable = 1, kReserved = 2 };  // the numbers of INT 15h, function E820h

struct MemoryRange {
  u64 base = 0;
  u64 size = 0;
  RangeType type = RangeType::kUsable;
};

// In order of address. Device memory is not in it: the guest learns of it from ACPI.
inline std::vector<MemoryRange> memory_map(const memory::GuestMemory& memory) {
  std::vector<MemoryRange> map{{0, kLowEnd, RangeType::kUsable},
                               {kLowEnd, kOneMegabyte - kLowEnd, RangeType::kReserved}};
  if (memory.low_bytes() > kOneMegabyte)
    map.push_back({kOneMegabyte, memory.low_bytes() - kOneMegabyte, RangeType::kUsable});
  if (memory.high_bytes())
    map.push_back({memory::GuestMemory::kHighBase, memory.high_bytes(), RangeType::kUsable});
  return map;
}

}  // namespace pollux::machine::boot
