#include "machine/boot/multiboot.h"

#include <algorithm>

#include "machine/boot/elf_image.h"
#include "machine/boot/entry_state.h"
#include "machine/boot/low_memory.h"
#include "machine/boot/placement.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::PhysAddr;

namespace {

constexpr u32 kHeader1 = 0x1badb002, kLoader1 = 0x2badb002;
constexpr u32 kHeader2 = 0xe85250d6, kLoader2 = 0x36d76289;
constexpr u32 kHasAddresses = 1 << 16;
constexpr u64 kInitrdMax = 0xffffffff;
constexpr char kLoaderName[] = "Pollux";
// Behind the information, in the same page.
constexpr u64 kLoaderNameAt = kParamsAt + 0x100;
constexpr u64 kMemoryMapAt = kParamsAt + 0x200;
constexpr u64 kModuleAt = kParamsAt + 0x400;

u32 word(ByteSpan file, u64 at) {
  u32 value = 0;
  if (at + 4 <= file.size()) std::memcpy(&value, file.data() + at, 4);
  return value;
}

std::optional<MultibootHeader> find_version_1(ByteSpan file) {
  const u64 end = std::min<u64>(file.size(), 8192);
  for (u64 at = 0; at + 12 <= end; at += 4) {
    const u32 flags = word(file, at + 4);
    if (word(file, at) != kHeader1 || kHeader1 + flags + word(file, at + 8) != 0) continue;
    MultibootHeader header{.at = at, .version = 1};
    if (flags & kHasAddresses && at + 32 <= file.size()) {
      header.flat = {word(file, at + 12), word(file, at + 16), word(file, at + 20), word(file, at + 24)};
      header.entry = word(file, at + 28);
    }
    return header;
  }
  return {};
}

void read_tags(ByteSpan file, u64 at, u64 end, MultibootHeader& header) {
  while (at + 8 <= end) {
    const u32 type = word(file, at) & 0xffff;
    const u32 size = word(file, at + 4);
    if (type == 0 || size < 8 || size > end - at) return;
    if (type == 2 && size >= 24)
      header.flat = {word(file, at + 8), word(file, at + 12), word(file, at + 16), word(file, at + 20)};
    if (type == 3 && size >= 12) header.entry = word(file, at + 8);
    at += (u64(size) + 7) & ~u64{7};
  }
}

std::optional<MultibootHeader> find_version_2(ByteSpan file) {
  const u64 end = std::min<u64>(file.size(), 32768);
  for (u64 at = 0; at + 16 <= end; at += 8) {
    const u32 architecture = word(file, at + 4), length = word(file, at + 8);
    if (word(file, at) != kHeader2 || kHeader2 + architecture + length + word(file, at + 12) != 0) continue;
    if (architecture != 0 || length < 16 || length > file.size() - at) continue;
    MultibootHeader header{.at = at, .version = 2};
    read_tags(file, at + 16, at + length, header);
    return header;
  }
  return {};
}

Result<Placed> place_flat(ByteSpan file, const MultibootHeader& header, GuestMemory& memory) {
  const auto damaged = fail(ErrorKind::kFormat, "the multiboot kernel is damaged: its addresses do not fit its file");
  const auto& flat = *header.flat;
  if (flat.header_address < flat.load_address || flat.header_address - flat.load_address > header.at) return damaged;
  const ByteSpan rest = file.subspan(header.at - (flat.header_address - flat.load_address));
  const u64 load_end = flat.load_end ? flat.load_end : u64(flat.load_address) + rest.size();
  if (load_end < flat.load_address || load_end - flat.load_address > rest.size()) return damaged;
  const u64 end = std::max<u64>(flat.bss_end, load_end);
  return place(rest.first(load_end - flat.load_address), flat.load_address, end - flat.load_address, memory);
}

u32 kilobytes_above_1_megabyte(const GuestMemory& memory) { return u32((memory.low_bytes() - kOneMegabyte) >> 10); }

void write_information_1(const Placed& initrd, GuestMemory& memory) {
  ByteWriter map;
  for (const MemoryRange& range : memory_map(memory)) {
    map.put<u32>(20);  // of this entry, without the size itself
    map.put<u64>(range.base);
    map.put<u64>(range.size);
    map.put<u32>(u32(range.type));
  }
  memory.write(PhysAddr(kMemoryMapAt), map.bytes());
  memory.write(PhysAddr(kLoaderNameAt), as_bytes({kLoaderName, sizeof kLoaderName}));
  ByteWriter module;
  module.put<u32>(u32(initrd.base));
  module.put<u32>(u32(initrd.end()));
  memory.write(PhysAddr(kModuleAt), module.bytes());

  constexpr u32 kMemory = 1, kCommandLine = 1 << 2, kModules = 1 << 3, kMap = 1 << 6, kName = 1 << 9;
  ByteWriter info;
  info.put<u32>(kMemory | kCommandLine | kModules | kMap | kName);
  info.put<u32>(u32(kLowEnd >> 10));
  info.put<u32>(kilobytes_above_1_megabyte(memory));
  info.put<u32>(0);  // boot device
  info.put<u32>(u32(kCommandLineAt));
  info.put<u32>(initrd.size ? 1 : 0);
  info.put<u32>(u32(kModuleAt));
  for (int i = 0; i < 4; ++i) info.put<u32>(0);  // symbols
  info.put<u32>(u32(map.size()));
  info.put<u32>(u32(kMemoryMapAt));
  for (int i = 0; i < 3; ++i) info.put<u32>(0);  // drives, configuration table
  info.put<u32>(u32(kLoaderNameAt));
  memory.write(PhysAddr(kParamsAt), info.bytes());
}

void put_tag(ByteWriter& out, u32 type, const Bytes& body) {
  out.put<u32>(type);
  out.put<u32>(u32(8 + body.size()));
  out.put_bytes(body);
  while (out.size() % 8) out.put<u8>(0);
}

Bytes zero_terminated(std::string_view text) {
  ByteWriter out;
  out.put_bytes(as_bytes(text));
  out.put<u8>(0);
  return out.take();
}

// Fails when the command line leaves no room for the rest in the two pages of parameters.
Result<void> write_information_2(const BootRequest& request, const Placed& initrd, PhysAddr rsdp,
                                 GuestMemory& memory) {
  ByteWriter tags;
  put_tag(tags, 1, zero_terminated(request.command_line));
  put_tag(tags, 2, zero_terminated(kLoaderName));
  ByteWriter body;
  if (initrd.size) {
    body.put<u32>(u32(initrd.base));
    body.put<u32>(u32(initrd.end()));
    body.put<u64>(0);  // an empty name
    put_tag(tags, 3, body.take());
  }
  body.put<u32>(u32(kLowEnd >> 10));
  body.put<u32>(kilobytes_above_1_megabyte(memory));
  put_tag(tags, 4, body.take());
  body.put<u32>(24);  // size of an entry
  body.put<u32>(0);   // version of an entry
  for (const MemoryRange& range : memory_map(memory)) {
    body.put<u64>(range.base);
    body.put<u64>(range.size);
    body.put<u32>(u32(range.type));
    body.put<u32>(0);
  }
  put_tag(tags, 6, body.take());
  Bytes rsdp_copy(36);
  memory.read(rsdp, rsdp_copy);
  put_tag(tags, 15, rsdp_copy);
  put_tag(tags, 0, {});

  ByteWriter info;
  info.put<u32>(u32(8 + tags.size()));
  info.put<u32>(0);
  info.put_bytes(tags.bytes());
  if (info.size() > kSetupDataAt - kParamsAt)
    return fail(ErrorKind::kUsage, "the kernel command line is too long for a multiboot2 kernel");
  memory.write(PhysAddr(kParamsAt), info.bytes());
  return {};
}

}  // namespace

std::optional<MultibootHeader> find_multiboot_header(ByteSpan file) {
  if (auto header = find_version_2(file)) return header;
  return find_version_1(file);
}

Result<Booted> load_multiboot(const BootRequest& request, const MultibootHeader& header, PhysAddr rsdp,
                              GuestMemory& memory) {
  const auto load = [&](u32& entry) -> Result<Placed> {
    if (header.flat) {
      entry = header.entry.value_or(header.flat->load_address);
      return place_flat(request.kernel, header, memory);
    }
    if (!is_elf(request.kernel))
      return fail(ErrorKind::kFormat, "the multiboot kernel is neither ELF nor says where it is to be loaded");
    auto image = parse_elf(request.kernel);
    if (!image) return pass(image);
    entry = header.entry.value_or(u32(image->entry));
    return place_segments(*image, memory);
  };
  u32 entry = 0;
  auto placed = load(entry);
  if (!placed) return pass(placed);
  if (entry < placed->base || entry >= placed->end())
    return fail(ErrorKind::kFormat, "the multiboot kernel is damaged: its entry point lies outside what it loads");
  if (auto line = place_command_line(request.command_line, kCommandLineRoom - 1, memory); !line) return pass(line);
  auto initrd = place_initrd(request.initrd, kInitrdMax, placed->end(), memory);
  if (!initrd) return pass(initrd);
  if (header.version == 1) {
    write_information_1(*initrd, memory);
  } else if (auto written = write_information_2(request, *initrd, rsdp, memory); !written) {
    return pass(written);
  }
  Booted booted;
  booted.kind = header.version == 1 ? KernelKind::kMultiboot : KernelKind::kMultiboot2;
  booted.rsdp = rsdp;
  booted.state = protected_mode(memory, entry);
  booted.state.gpr[x86::kRax] = header.version == 1 ? kLoader1 : kLoader2;
  booted.state.gpr[x86::kRbx] = kParamsAt;
  return booted;
}

}  // namespace pollux::machine::boot
