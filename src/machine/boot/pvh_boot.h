// Loads a kernel by the PVH boot protocol: 32-bit protected mode, ebx = struct hvm_start_info.
// Source: Xen docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h for the layout.
#pragma once

#include "machine/boot/boot.h"
#include "machine/boot/elf_image.h"

namespace pollux::machine::boot {

// image.pvh_entry must be there.
Result<Booted> load_pvh(const BootRequest& request, const ElfImage& image, memory::PhysAddr rsdp,
                        memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
