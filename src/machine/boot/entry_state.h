// The processor's state at a kernel's first instruction, for each of the ways in. Writes the descriptor table and the
// page tables that the state refers to (low_memory.h).
#pragma once

#include "memory/guest_memory.h"
#include "x86/state.h"

namespace pollux::machine::boot {

// Long mode, flat segments with the selectors of the Linux boot protocol (CS 0x10, others 0x18), the first 4 GiB
// mapped at their own addresses, interrupts off.
x86::State long_mode(memory::GuestMemory& memory, u64 rip);

// 32-bit protected mode, flat segments with the same selectors, paging and interrupts off.
x86::State protected_mode(memory::GuestMemory& memory, u32 eip);

// Real mode at 0000:ip, as a BIOS enters a boot sector from the first hard disk (DL = 80h). There is no BIOS to call.
x86::State real_mode(u16 ip);

}  // namespace pollux::machine::boot
