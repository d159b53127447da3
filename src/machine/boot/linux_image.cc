#include "machine/boot/linux_image.h"

#include <algorithm>

namespace pollux::machine::boot {

namespace {

constexpr u64 kBootFlagAt = 0x1fe;
constexpr u64 kMagicAt = 0x202;
constexpr u16 kOldestVersion = 0x0208;
constexpr u64 kSmallestHeaderEnd = 0x250;  // protocol 2.08
constexpr u8 kLoadedHigh = 1;
constexpr u16 kHas64BitEntry = 1;

template <class T>
T field(ByteSpan file, u64 at) {
  T value{};
  if (at + sizeof value <= file.size()) std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

}  // namespace

bool is_linux_image(ByteSpan file) {
  return file.size() >= kMagicAt + 4 && field<u16>(file, kBootFlagAt) == 0xaa55 &&
         as_text(file.subspan(kMagicAt, 4)) == "HdrS";
}

Result<LinuxImage> parse_linux_image(ByteSpan file) {
  const auto cut_short = fail(ErrorKind::kFormat, "the Linux kernel image is cut short");
  LinuxImage image;
  image.version = field<u16>(file, 0x206);
  if (image.version < kOldestVersion || !(field<u8>(file, 0x211) & kLoadedHigh))
    return fail(ErrorKind::kFormat, "the Linux kernel image is too old: boot protocol 2.08 or later is needed");
  const u64 header_end = std::max<u64>(kMagicAt + field<u8>(file, 0x201), kSmallestHeaderEnd);
  const u64 setup_sectors = field<u8>(file, kSetupHeaderAt) ? field<u8>(file, kSetupHeaderAt) : 4;
  const u64 protected_at = (setup_sectors + 1) * 512;
  if (header_end > file.size() || protected_at >= file.size()) return cut_short;
  image.setup_header = file.subspan(kSetupHeaderAt, header_end - kSetupHeaderAt);
  image.protected_mode = file.subspan(protected_at);

  // The header gives the size in paragraphs of 16 bytes; images signed or padded afterwards are longer.
  const u64 declared = u64(field<u32>(file, 0x1f4)) * 16;
  if (declared > image.protected_mode.size() + 15) return cut_short;
  const u64 payload_at = field<u32>(file, 0x248);
  const u64 payload_size = field<u32>(file, 0x24c);
  if (payload_at + payload_size > image.protected_mode.size()) return cut_short;
  image.payload = image.protected_mode.subspan(payload_at, payload_size);

  image.command_line_limit = field<u32>(file, 0x238);
  image.initrd_address_max = field<u32>(file, 0x22c);
  image.memory_size = image.protected_mode.size();
  if (image.version >= 0x020a && header_end >= 0x264) {
    image.preferred_address = field<u64>(file, 0x258);
    image.memory_size = std::max<u64>(image.memory_size, field<u32>(file, 0x260));
  }
  if (image.version >= 0x020c) image.has_64_bit_entry = field<u16>(file, 0x236) & kHas64BitEntry;
  return image;
}

}  // namespace pollux::machine::boot
