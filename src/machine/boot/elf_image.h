// The parts of an ELF executable that a loader needs: what goes where, the entry, the PVH note. Reads both classes,
// little-endian, machines x86 and x86-64. Holds spans into the file: the file must outlive it.
// Source: System V ABI, chapters 4 and 5; Xen's public/elfnote.h for the note's number.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::machine::boot {

struct ElfSegment {
  u64 physical = 0;
  u64 memory_size = 0;  // the part beyond contents is zeroes
  ByteSpan contents;
};

struct ElfImage {
  bool is_64 = false;
  u64 entry = 0;                 // e_entry as it stands: a virtual address, or physical for Linux and tests
  std::optional<u32> pvh_entry;  // XEN_ELFNOTE_PHYS32_ENTRY
  std::vector<ElfSegment> segments;
};

bool is_elf(ByteSpan file);
Result<ElfImage> parse_elf(ByteSpan file);

}  // namespace pollux::machine::boot
