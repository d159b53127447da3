// Undoes the compression of a kernel's payload: gzip, xz (with branch filters), lzma, zstd, lz4 (the legacy frame
// that Linux uses), bzip2. Recognised by the first bytes. What follows the compressed stream is ignored: Linux
// appends four bytes of size.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::machine::boot {

enum class Compression : u8 { kUnknown, kNone, kGzip, kXz, kLzma, kZstd, kLz4, kBzip2 };

// kNone: an ELF file as it is.
Compression recognise(ByteSpan payload);

// Fails (kFormat) when the stream is damaged or cut short, or would expand beyond limit bytes.
Result<Bytes> decompress(ByteSpan payload, u64 limit);

}  // namespace pollux::machine::boot
