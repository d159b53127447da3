#include "machine/boot/pvh_boot.h"

#include "base/check.h"
#include "machine/boot/entry_state.h"
#include "machine/boot/low_memory.h"
#include "machine/boot/placement.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::PhysAddr;

namespace {

constexpr u32 kStartMagic = 0x336ec578;
constexpr u64 kModuleListAt = kModulesAt;
constexpr u64 kMemoryMapAt = kModulesAt + 0x100;
constexpr u64 kInitrdMax = 0x7fffffff;
constexpr u64 kCommandLineLimit = 2047;

void write_start_info(const Placed& initrd, PhysAddr rsdp, GuestMemory& memory) {
  const auto map = memory_map(memory);
  ByteWriter info;
  info.put<u32>(kStartMagic);
  info.put<u32>(1);  // version
  info.put<u32>(0);  // flags
  info.put<u32>(initrd.size ? 1 : 0);
  info.put<u64>(kModuleListAt);
  info.put<u64>(kCommandLineAt);
  info.put<u64>(rsdp.value);
  info.put<u64>(kMemoryMapAt);
  info.put<u32>(u32(map.size()));
  info.put<u32>(0);
  memory.write(PhysAddr(kParamsAt), info.bytes());

  ByteWriter module;
  module.put<u64>(initrd.base);
  module.put<u64>(initrd.size);
  module.put<u64>(0);  // its own command line
  module.put<u64>(0);
  memory.write(PhysAddr(kModuleListAt), module.bytes());

  ByteWriter ranges;
  for (const MemoryRange& range : map) {
    ranges.put<u64>(range.base);
    ranges.put<u64>(range.size);
    ranges.put<u32>(u32(range.type));
    ranges.put<u32>(0);
  }
  memory.write(PhysAddr(kMemoryMapAt), ranges.bytes());
}

}  // namespace

Result<Booted> load_pvh(const BootRequest& request, const ElfImage& image, PhysAddr rsdp, GuestMemory& memory) {
  POLLUX_CHECK(image.pvh_entry, "only a kernel with a PVH note boots by PVH");
  auto placed = place_segments(image, memory);
  if (!placed) return pass(placed);
  if (*image.pvh_entry < placed->base || *image.pvh_entry >= placed->end())
    return fail(ErrorKind::kFormat, "the ELF kernel is damaged: its PVH entry point lies outside what it loads");
  if (auto line = place_command_line(request.command_line, kCommandLineLimit, memory); !line) return pass(line);
  auto initrd = place_initrd(request.initrd, kInitrdMax, placed->end(), memory);
  if (!initrd) return pass(initrd);
  write_start_info(*initrd, rsdp, memory);
  Booted booted;
  booted.kind = KernelKind::kPvh;
  booted.rsdp = rsdp;
  booted.state = protected_mode(memory, *image.pvh_entry);
  booted.state.gpr[x86::kRbx] = kParamsAt;
  return booted;
}

}  // namespace pollux::machine::boot
