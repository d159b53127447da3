// Puts the pieces of a kernel where they belong in memory and refuses what does not fit.
#pragma once

#include <string>

#include "base/result.h"
#include "machine/boot/elf_image.h"
#include "memory/guest_memory.h"

namespace pollux::machine::boot {

struct Placed {
  u64 base = 0;
  u64 size = 0;  // 0: there is none
  u64 end() const { return base + size; }
};

// Copies bytes to base, followed by zeroes up to size. The range must be RAM below 4 GiB and clear of what the loader
// keeps below kStackTop, of the hole below 1 MiB and of the ACPI tables.
Result<Placed> place(ByteSpan bytes, u64 base, u64 size, memory::GuestMemory& memory);

// All segments of an ELF kernel at their physical addresses. The result spans them all.
Result<Placed> place_segments(const ElfImage& image, memory::GuestMemory& memory);

// As high as it fits with its last byte at or below address_max, page-aligned, not below floor.
Result<Placed> place_initrd(ByteSpan initrd, u64 address_max, u64 floor, memory::GuestMemory& memory);

// At kCommandLineAt, with a final zero. limit: the longest the kernel takes, without the zero.
Result<void> place_command_line(const std::string& line, u64 limit, memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
