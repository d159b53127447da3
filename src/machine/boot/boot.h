// Puts a kernel into guest memory as firmware would have left it, and says how the processor starts.
//
// Used by machine/computer before the first instruction. Kinds of kernel, recognised by their contents:
//   Linux bzImage     decompressed here, on the host, and entered at startup_64 by the 64-bit boot protocol. When the
//                     payload is of an unknown format, the image's own decompressor is entered instead.
//   ELF, PVH note     entered in 32-bit protected mode with hvm_start_info (Xen's PVH boot protocol)
//   ELF or flat, multiboot 1 or 2 header     entered in 32-bit protected mode with the multiboot information
//   ELF64             entered at e_entry in long mode; rsi = boot_params, as for Linux
//   ELF32             entered at e_entry in 32-bit protected mode
//   boot sector       512 bytes or more that end sector 0 with 55 AA: real mode at 0000:7c00
//
// Invariants
//  1. What is loaded is a function of the request and of the memory's size: no time, no entropy. So the kernel is
//     always at its linked address; there is no address space randomisation of the kernel.
//  2. Only RAM below 4 GiB is written; the layout of what lies below 1 MiB is in low_memory.h.
//  3. ACPI tables are in memory for every kind (acpi_tables.h).
//
// Does not: read files (the caller brings the bytes), emulate a BIOS, start processors other than the first (kernels do
// so themselves, by INIT and start-up messages).
// Sources: Linux Documentation/arch/x86/boot.rst; Xen docs/misc/pvh.pandoc; Multiboot 0.6.96 and 2.0 specifications.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "memory/guest_memory.h"
#include "x86/state.h"

namespace pollux::machine::boot {

// What the ACPI tables must say of the machine. Everything else about it is fixed in machine/platform.h.
struct Hardware {
  u32 cpus = 1;
};

struct BootRequest {
  ByteSpan kernel;
  ByteSpan initrd;  // empty: none
  std::string command_line;
  Hardware hardware;
};

enum class KernelKind : u8 {
  kLinux,              // bzImage, decompressed here
  kLinuxSelfExpanding, // bzImage that decompresses itself in the guest
  kPvh,
  kMultiboot,
  kMultiboot2,
  kElf64,
  kElf32,
  kBootSector,
};
const char* name(KernelKind kind);

inline constexpr u32 kRngSeedBytes = 64;

struct Booted {
  x86::State state;  // of the first processor, at its first instruction
  KernelKind kind = KernelKind::kLinux;
  // Where the kernel will look for kRngSeedBytes random bytes (SETUP_RNG_SEED); now zeroes. The machine fills them
  // from its first EntropyInput before the first instruction. Absent: this kind of kernel takes no seed.
  std::optional<memory::PhysAddr> rng_seed;
  memory::PhysAddr rsdp;  // of the ACPI tables
};

// Loads the kernel. memory must be all zeroes, as new. Fails (kFormat) with one sentence when the bytes are no
// kernel or a damaged one, and (kUsage) when they do not fit into the memory or the command line is too long.
Result<Booted> load(const BootRequest& request, memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
