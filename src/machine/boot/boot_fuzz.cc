// Does any kernel file break the loader? The first byte chooses: the rest is the file; or the rest is wrapped, so that
// the fuzzer gets past the checks of a bzImage's header and into the decompressors and the ELF reader; or the rest is a
// list of changes to a good file of one kind, each an offset and a byte.
#include <cstring>

#include "base/check.h"
#include "machine/boot/boot.h"
#include "machine/boot/test_kernels.h"

using namespace pollux;
using namespace pollux::machine::boot;

namespace {

constexpr u64 kMemoryBytes = 4 << 20;
constexpr std::size_t kHeaderBytes = 1024;  // changes mostly go here, where decisions are made

Bytes changed(Bytes file, ByteSpan changes) {
  for (; changes.size() >= 3; changes = changes.subspan(3)) {
    const std::size_t offset = std::size_t(changes[0]) | std::size_t(changes[1]) << 8;
    const std::size_t range = (offset & 0x8000) ? file.size() : std::min(file.size(), kHeaderBytes);
    file[(offset & 0x7fff) % range] = changes[2];
  }
  return file;
}

Bytes elf() { return test::elf64(std::string(64, '\xf4'), 0x100000, test::pvh_note(0x100000)); }

// The checksum is made right again, or nothing behind it would be reached.
Bytes multiboot(ByteSpan changes) {
  Bytes file(8192);
  test::poke<u32>(file, 0, 0x1badb002);
  test::poke<u32>(file, 4, 0x10003);
  test::poke<u32>(file, 12, 0x100000);  // header, load, load end, bss end, entry
  test::poke<u32>(file, 16, 0x100000);
  test::poke<u32>(file, 20, 0x101000);
  test::poke<u32>(file, 24, 0x102000);
  test::poke<u32>(file, 28, 0x100020);
  file = changed(std::move(file), changes);
  u32 flags;
  std::memcpy(&flags, &file[4], 4);
  test::poke<u32>(file, 8, u32(0) - 0x1badb002 - flags);
  return file;
}

Bytes kernel_from(u8 kind, ByteSpan rest) {
  switch (kind) {
    case 1: return test::linux_image(rest, 0);
    case 2: return test::linux_image(test::compress(Compression::kLz4, rest), u32(rest.size()));
    case 3: return changed(elf(), rest);
    case 4: return changed(test::linux_image(test::compress(Compression::kLz4, elf()), u32(elf().size())), rest);
    case 5: return multiboot(rest);
    case 6: case 7: case 8: case 9: case 10: {  // a damaged payload of each kind
      constexpr Compression kKinds[] = {Compression::kGzip, Compression::kXz, Compression::kZstd, Compression::kBzip2,
                                        Compression::kLzma};
      return test::linux_image(changed(test::compress(kKinds[kind - 6], elf()), rest), u32(elf().size()));
    }
    case 11: return test::linux_image(test::compress(Compression::kLz4, changed(elf(), rest)), u32(elf().size()));
    default: return Bytes(rest.begin(), rest.end());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteSpan rest = std::as_bytes(std::span(data + 1, size - 1));
  memory::GuestMemory memory(memory::heap_region(kMemoryBytes));
  const Bytes kernel = kernel_from(data[0], rest);
  const auto booted = load({kernel, rest.first(rest.size() / 2), "console=ttyS0", {}}, memory);
  if (!booted) POLLUX_CHECK(!booted.error().sentence.empty(), "an error has a sentence");
  return 0;
}
