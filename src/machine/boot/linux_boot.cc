#include "machine/boot/linux_boot.h"

#include <algorithm>

#include "machine/boot/decompress.h"
#include "machine/boot/entry_state.h"
#include "machine/boot/linux_image.h"
#include "machine/boot/placement.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::kPageSize;
using memory::PhysAddr;

namespace {

constexpr u64 kKernelSizeLimit = u64{1} << 30;
constexpr u64 kStartup64Offset = 0x200;  // of a bzImage's 64-bit entry behind its 32-bit one
constexpr u64 kPlainInitrdMax = 0x7fffffff;
constexpr u64 kPlainCommandLineLimit = 2047;
constexpr u32 kSetupRngSeed = 9;
constexpr u8 kUnregisteredLoader = 0xff;
constexpr u8 kKaslr = 1 << 1;

class ZeroPage {
 public:
  explicit ZeroPage(ByteSpan setup_header) : page_(kPageSize) {
    std::copy(setup_header.begin(), setup_header.end(), page_.begin() + kSetupHeaderAt);
  }
  template <class T>
  void set(u64 at, T value) {
    static_assert(std::is_integral_v<T>);
    std::memcpy(page_.data() + at, &value, sizeof value);
  }
  u8 byte(u64 at) const { return std::to_integer<u8>(page_[at]); }

  void describe(const Placed& initrd, PhysAddr rsdp, const GuestMemory& memory) {
    set<u64>(0x070, rsdp.value);
    set<u8>(0x210, kUnregisteredLoader);
    set<u8>(0x211, byte(0x211) & u8(~kKaslr));
    set<u32>(0x218, u32(initrd.base));
    set<u32>(0x21c, u32(initrd.size));
    set<u32>(0x228, u32(kCommandLineAt));
    set<u64>(0x250, kSetupDataAt);
    const auto map = memory_map(memory);
    set<u8>(0x1e8, u8(map.size()));
    for (u64 i = 0; i < map.size(); ++i) {
      const u64 at = 0x2d0 + 20 * i;
      set<u64>(at, map[i].base);
      set<u64>(at + 8, map[i].size);
      set<u32>(at + 16, u32(map[i].type));
    }
  }
  ByteSpan bytes() const { return page_; }

 private:
  Bytes page_;
};

// struct setup_data: next, type, length, data. One node.
PhysAddr write_seed_node(GuestMemory& memory) {
  ByteWriter node;
  node.put<u64>(0);
  node.put<u32>(kSetupRngSeed);
  node.put<u32>(kRngSeedBytes);
  const PhysAddr data(kSetupDataAt + node.size());
  memory.write(PhysAddr(kSetupDataAt), node.bytes());
  return data;
}

Result<Booted> finish(const BootRequest& request, ZeroPage zero_page, u64 kernel_end, u64 command_line_limit,
                      u64 initrd_max, PhysAddr rsdp, GuestMemory& memory) {
  if (auto placed = place_command_line(request.command_line, command_line_limit, memory); !placed)
    return pass(placed);
  auto initrd = place_initrd(request.initrd, initrd_max, kernel_end, memory);
  if (!initrd) return pass(initrd);
  zero_page.describe(*initrd, rsdp, memory);
  memory.write(PhysAddr(kParamsAt), zero_page.bytes());
  Booted booted;
  booted.rng_seed = write_seed_node(memory);
  booted.rsdp = rsdp;
  return booted;
}

void enter(Booted& booted, KernelKind kind, bool in_long_mode, u64 entry, GuestMemory& memory) {
  booted.kind = kind;
  booted.state = in_long_mode ? long_mode(memory, entry) : protected_mode(memory, u32(entry));
  booted.state.gpr[x86::kRsi] = kParamsAt;
}

Result<Placed> place_elf(const ElfImage& image, GuestMemory& memory) {
  auto placed = place_segments(image, memory);
  if (placed && (image.entry < placed->base || image.entry >= placed->end()))
    return fail(ErrorKind::kFormat, "the ELF kernel is damaged: its entry point lies outside what it loads");
  return placed;
}

}  // namespace

Result<Booted> load_linux_image(const BootRequest& request, PhysAddr rsdp, GuestMemory& memory) {
  const auto image = parse_linux_image(request.kernel);
  if (!image) return fail(image.error().kind, image.error().sentence);
  ZeroPage zero_page(image->setup_header.first(
      std::min<u64>(image->setup_header.size(), 0x290 - kSetupHeaderAt)));  // the header's room in boot_params
  const auto finish_with = [&](u64 kernel_end) {
    return finish(request, zero_page, kernel_end, image->command_line_limit, image->initrd_address_max, rsdp, memory);
  };

  // An interpreter would spend minutes in the image's own decompressor, so the kernel is expanded here. What follows
  // the ELF file in the payload (relocations for a randomised address) is not needed at the linked address.
  if (recognise(image->payload) != Compression::kUnknown) {
    auto expanded = decompress(image->payload, kKernelSizeLimit);
    if (!expanded) return pass(expanded);
    if (is_elf(*expanded)) {
      auto kernel = parse_elf(*expanded);
      if (!kernel) return pass(kernel);
      auto placed = place_elf(*kernel, memory);
      if (!placed) return pass(placed);
      const u64 wanted = image->preferred_address + image->memory_size;
      auto booted = finish_with(std::max(placed->end(), wanted > image->preferred_address ? wanted : 0));
      if (booted) enter(*booted, KernelKind::kLinux, kernel->is_64, kernel->entry, memory);
      return booted;
    }
  }

  auto placed = place(image->protected_mode, image->preferred_address, image->memory_size, memory);
  if (!placed) return pass(placed);
  auto booted = finish_with(placed->end());
  if (!booted) return booted;
  const u64 entry = placed->base + (image->has_64_bit_entry ? kStartup64Offset : 0);
  enter(*booted, KernelKind::kLinuxSelfExpanding, image->has_64_bit_entry, entry, memory);
  return booted;
}

Result<Booted> load_plain_elf(const BootRequest& request, const ElfImage& image, PhysAddr rsdp, GuestMemory& memory) {
  auto placed = place_elf(image, memory);
  if (!placed) return pass(placed);
  auto booted = finish(request, ZeroPage({}), placed->end(), kPlainCommandLineLimit, kPlainInitrdMax, rsdp, memory);
  if (booted) enter(*booted, image.is_64 ? KernelKind::kElf64 : KernelKind::kElf32, image.is_64, image.entry, memory);
  return booted;
}

}  // namespace pollux::machine::boot
