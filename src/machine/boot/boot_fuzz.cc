// Does any kernel file break the loader? The first bytes choose how the rest is wrapped, so that the fuzzer gets past
// the checks of a bzImage's header and into the decompressors and the ELF reader.
#include "base/check.h"
#include "machine/boot/boot.h"
#include "machine/boot/test_kernels.h"

using namespace pollux;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 2) return 0;
  const ByteSpan rest = std::as_bytes(std::span(data + 1, size - 1));
  memory::GuestMemory memory(memory::heap_region(4 << 20));
  Bytes kernel(rest.begin(), rest.end());
  if (data[0] == 1) kernel = machine::boot::test::linux_image(rest, 0);
  if (data[0] == 2) {
    using machine::boot::Compression;
    const Bytes inner = machine::boot::test::compress(Compression::kLz4, rest);
    kernel = machine::boot::test::linux_image(inner, u32(rest.size()));
  }
  const auto booted = machine::boot::load({kernel, rest.first(rest.size() / 2), "console=ttyS0", {}}, memory);
  if (!booted) POLLUX_CHECK(!booted.error().sentence.empty(), "an error has a sentence");
  return 0;
}
