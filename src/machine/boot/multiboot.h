// Loads a multiboot kernel, version 1 or 2: 32-bit protected mode, eax = the loader's magic, ebx = the information.
// The initrd is the one module. Source: Multiboot Specification 0.6.96 and 2.0.
#pragma once

#include <optional>

#include "machine/boot/boot.h"

namespace pollux::machine::boot {

struct MultibootHeader {
  u64 at = 0;  // in the file
  int version = 1;
  // Version 1's address fields, or version 2's address and entry tags: where a flat file goes.
  struct Flat {
    u32 header_address = 0, load_address = 0, load_end = 0, bss_end = 0;
  };
  std::optional<Flat> flat;
  std::optional<u32> entry;
};

// The header in the first 8 KiB (version 1) or 32 KiB (version 2) of the file.
std::optional<MultibootHeader> find_multiboot_header(ByteSpan file);

Result<Booted> load_multiboot(const BootRequest& request, const MultibootHeader& header, memory::PhysAddr rsdp,
                              memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
