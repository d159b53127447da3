// Loads Linux: fills struct boot_params ("the zero page") and chooses the entry.
// Source: Linux Documentation/arch/x86/boot.rst ("64-bit boot protocol") and zero-page.rst.
#pragma once

#include "machine/boot/boot.h"
#include "machine/boot/elf_image.h"
#include "machine/boot/low_memory.h"

namespace pollux::machine::boot {

Result<Booted> load_linux_image(const BootRequest& request, memory::PhysAddr rsdp, memory::GuestMemory& memory);

// An ELF executable without any other protocol: boot_params as for Linux, e_entry.
Result<Booted> load_plain_elf(const BootRequest& request, const ElfImage& image, memory::PhysAddr rsdp,
                              memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
