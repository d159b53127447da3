// The parts of a Linux bzImage, by its setup header. Holds spans into the file: the file must outlive it.
// Source: Linux Documentation/arch/x86/boot.rst; numbers of fields below are the protocol's offsets in the file.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::machine::boot {

inline constexpr u64 kSetupHeaderAt = 0x1f1;

struct LinuxImage {
  ByteSpan setup_header;    // from 0x1f1 to its end
  ByteSpan protected_mode;  // what follows the real-mode sectors
  ByteSpan payload;         // the compressed kernel; empty when the header names none
  u16 version = 0;          // 0x020f: 2.15
  bool has_64_bit_entry = false;
  u64 preferred_address = 0x100000;
  u64 memory_size = 0;      // from preferred_address, until the kernel has found its own way
  u64 command_line_limit = 255;
  u64 initrd_address_max = 0x37ffffff;
};

bool is_linux_image(ByteSpan file);
// file: is_linux_image. Fails (kFormat) when it is cut short or older than protocol 2.08 (Linux 2.6.26).
Result<LinuxImage> parse_linux_image(ByteSpan file);

}  // namespace pollux::machine::boot
