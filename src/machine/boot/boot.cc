#include "machine/boot/boot.h"

#include "base/check.h"
#include "machine/boot/acpi_tables.h"
#include "machine/boot/entry_state.h"
#include "machine/boot/linux_boot.h"
#include "machine/boot/linux_image.h"
#include "machine/boot/low_memory.h"
#include "machine/boot/multiboot.h"
#include "machine/boot/placement.h"
#include "machine/boot/pvh_boot.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::PhysAddr;

namespace {

constexpr u64 kBootSectorAt = 0x7c00;
constexpr u64 kBootSectorRoom = kLowEnd - kBootSectorAt;

bool is_boot_sector(ByteSpan file) {
  return file.size() >= 512 && file[510] == std::byte{0x55} && file[511] == std::byte{0xaa};
}

// A disk image begins with a boot sector too; only what fits below 640 KiB can be meant as one.
Result<Booted> load_boot_sector(const BootRequest& request, GuestMemory& memory) {
  if (request.kernel.size() > kBootSectorRoom)
    return fail(ErrorKind::kFormat, "not a kernel: it looks like a disk image; name it with --disk");
  if (!request.initrd.empty() || !request.command_line.empty())
    return fail(ErrorKind::kUsage, "a boot sector takes neither an initrd nor a command line");
  memory.write(PhysAddr(kBootSectorAt), request.kernel);
  Booted booted;
  booted.kind = KernelKind::kBootSector;
  booted.state = real_mode(kBootSectorAt);
  return booted;
}

Result<Booted> load_elf(const BootRequest& request, PhysAddr rsdp, GuestMemory& memory) {
  auto image = parse_elf(request.kernel);
  if (!image) return pass(image);
  if (image->pvh_entry) return load_pvh(request, *image, rsdp, memory);
  if (const auto header = find_multiboot_header(request.kernel)) return load_multiboot(request, *header, rsdp, memory);
  return load_plain_elf(request, *image, rsdp, memory);
}

}  // namespace

const char* name(KernelKind kind) {
  switch (kind) {
    case KernelKind::kLinux: return "Linux";
    case KernelKind::kLinuxSelfExpanding: return "Linux, decompressed in the guest";
    case KernelKind::kPvh: return "ELF by the PVH protocol";
    case KernelKind::kMultiboot: return "multiboot";
    case KernelKind::kMultiboot2: return "multiboot2";
    case KernelKind::kElf64: return "ELF64";
    case KernelKind::kElf32: return "ELF32";
    case KernelKind::kBootSector: return "boot sector";
  }
  POLLUX_CHECK(false, "no such kind of kernel");
}

Result<Booted> load(const BootRequest& request, GuestMemory& memory) {
  if (request.kernel.empty()) return fail(ErrorKind::kFormat, "the kernel file is empty");
  if (request.hardware.cpus == 0 || request.hardware.cpus > kMostCpus)
    return fail(ErrorKind::kUsage, "a machine has from 1 to " + std::to_string(kMostCpus) + " processors");
  if (memory.size() < 2 * kOneMegabyte)
    return fail(ErrorKind::kUsage, "a machine that boots a kernel needs at least 2 MiB of memory");
  const PhysAddr rsdp = write_acpi_tables(request.hardware, memory);
  Result<Booted> booted = [&]() -> Result<Booted> {
    if (is_elf(request.kernel)) return load_elf(request, rsdp, memory);
    if (is_linux_image(request.kernel)) return load_linux_image(request, rsdp, memory);
    if (const auto header = find_multiboot_header(request.kernel))
      return load_multiboot(request, *header, rsdp, memory);
    if (is_boot_sector(request.kernel)) return load_boot_sector(request, memory);
    return fail(ErrorKind::kFormat,
                "not a kernel: neither a Linux bzImage, nor ELF, nor multiboot, nor a boot sector");
  }();
  if (booted) booted->rsdp = rsdp;
  return booted;
}

}  // namespace pollux::machine::boot
