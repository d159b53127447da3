#include "machine/boot/decompress.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>

namespace pollux::machine::boot {

namespace {

constexpr u32 kLz4LegacyMagic = 0x184c2102;
constexpr u64 kLz4LegacyBlock = 8 << 20;

std::unexpected<Error> damaged() {
  return fail(ErrorKind::kFormat, "the kernel's compressed payload is damaged or cut short");
}
std::unexpected<Error> too_large() {
  return fail(ErrorKind::kFormat, "the kernel's compressed payload expands to more than a kernel can be");
}

// Room to begin with: for what the payload's last bytes say that it expands to, if that can be, and a byte more, so
// that a stream has room to end in.
u64 first_room(ByteSpan payload, u64 limit) {
  constexpr u64 kMostRatio = 16, kLeast = 1 << 20;
  u32 size = 0;
  if (payload.size() >= sizeof size) std::memcpy(&size, payload.last(sizeof size).data(), sizeof size);
  const bool can_be = size <= payload.size() * kMostRatio;
  return std::min(limit, std::max(can_be ? u64{size} + 1 : 0, kLeast));
}

// Output that grows by doubling up to a limit, for libraries that fill a buffer piece by piece.
class Sink {
 public:
  Sink(u64 begin, u64 limit) : limit_(limit) { bytes_.resize(begin); }
  std::span<std::byte> room() { return std::span(bytes_).subspan(used_); }
  void filled(u64 count) { used_ += count; }
  bool full() const { return used_ == bytes_.size(); }
  bool grow() {
    if (bytes_.size() >= limit_) return false;
    bytes_.resize(std::min<u64>(limit_, bytes_.size() * 2));
    return true;
  }
  Bytes take() {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  u64 limit_;
  u64 used_ = 0;
  Bytes bytes_;
};

enum class Step : u8 { kMore, kEnd, kBad };

// Drives one library's stream. step(room, produced): decompresses into room, says how many bytes it produced.
template <class StepFunction>
Result<Bytes> drive(ByteSpan in, u64 limit, StepFunction step) {
  Sink sink(first_room(in, limit), limit);
  for (;;) {
    if (sink.full() && !sink.grow()) {
      // The stream may end exactly here: one more step with a byte of room tells.
      std::array<std::byte, 1> extra;
      u64 produced = 0;
      const Step result = step(std::span<std::byte>(extra), produced);
      if (produced) return too_large();
      if (result == Step::kEnd) return sink.take();
      return damaged();
    }
    u64 produced = 0;
    const Step result = step(sink.room(), produced);
    sink.filled(produced);
    if (result == Step::kEnd) return sink.take();
    if (result == Step::kBad || produced == 0) return damaged();
  }
}

Result<Bytes> expand_gzip(ByteSpan in, u64 limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return damaged();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  auto result = drive(in, limit, [&](std::span<std::byte> room, u64& produced) {
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    produced = room.size() - stream.avail_out;
    return status == Z_STREAM_END ? Step::kEnd : status == Z_OK || status == Z_BUF_ERROR ? Step::kMore : Step::kBad;
  });
  inflateEnd(&stream);
  return result;
}

Result<Bytes> expand_lzma(ByteSpan in, u64 limit, Compression kind) {
  constexpr u64 kMemoryLimit = u64{256} << 20;
  lzma_stream stream = LZMA_STREAM_INIT;
  const lzma_ret started = kind == Compression::kXz ? lzma_stream_decoder(&stream, kMemoryLimit, 0)
                                                    : lzma_alone_decoder(&stream, kMemoryLimit);
  if (started != LZMA_OK) return damaged();
  stream.next_in = reinterpret_cast<const uint8_t*>(in.data());
  stream.avail_in = in.size();
  auto result = drive(in, limit, [&](std::span<std::byte> room, u64& produced) {
    stream.next_out = reinterpret_cast<uint8_t*>(room.data());
    stream.avail_out = room.size();
    const lzma_ret status = lzma_code(&stream, LZMA_RUN);
    produced = room.size() - stream.avail_out;
    return status == LZMA_STREAM_END ? Step::kEnd : status == LZMA_OK ? Step::kMore : Step::kBad;
  });
  lzma_end(&stream);
  return result;
}

Result<Bytes> expand_bzip2(ByteSpan in, u64 limit) {
  bz_stream stream{};
  if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) return damaged();
  stream.next_in = reinterpret_cast<char*>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<unsigned>(in.size());
  auto result = drive(in, limit, [&](std::span<std::byte> room, u64& produced) {
    stream.next_out = reinterpret_cast<char*>(room.data());
    stream.avail_out = static_cast<unsigned>(room.size());
    const int status = BZ2_bzDecompress(&stream);
    produced = room.size() - stream.avail_out;
    return status == BZ_STREAM_END ? Step::kEnd : status == BZ_OK ? Step::kMore : Step::kBad;
  });
  BZ2_bzDecompressEnd(&stream);
  return result;
}

Result<Bytes> expand_zstd(ByteSpan in, u64 limit) {
  ZSTD_DStream* stream = ZSTD_createDStream();
  if (!stream) return damaged();
  // Linux compresses with "zstd -22 --ultra": a window of 128 MiB, which is also the most the format's tools accept.
  ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  auto result = drive(in, limit, [&](std::span<std::byte> room, u64& produced) {
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const size_t left = ZSTD_decompressStream(stream, &to, &from);
    produced = to.pos;
    if (ZSTD_isError(left)) return Step::kBad;
    return left == 0 ? Step::kEnd : Step::kMore;
  });
  ZSTD_freeDStream(stream);
  return result;
}

// Magic, then blocks: a length and that many bytes, each expanding to at most 8 MiB. The stream has no end marker;
// a length that cannot be one (the appended size of the kernel) ends it.
Result<Bytes> expand_lz4(ByteSpan in, u64 limit) {
  ByteReader reader(in.subspan(4));
  Bytes out;
  out.reserve(first_room(in, limit));
  Bytes block(kLz4LegacyBlock);
  while (reader.left() > 4) {
    const u32 length = reader.get<u32>();
    if (length == kLz4LegacyMagic) continue;
    if (length == 0) break;
    const ByteSpan from = reader.get_bytes(length);
    if (!reader.ok()) return damaged();
    const int count = LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()),
                                          reinterpret_cast<char*>(block.data()), static_cast<int>(from.size()),
                                          static_cast<int>(block.size()));
    if (count < 0) return damaged();
    if (out.size() + u64(count) > limit) return too_large();
    out.insert(out.end(), block.begin(), block.begin() + count);
  }
  return out;
}

bool starts_with(ByteSpan bytes, std::initializer_list<u8> prefix) {
  return bytes.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), bytes.begin(), [](u8 a, std::byte b) { return std::byte(a) == b; });
}

}  // namespace

Compression recognise(ByteSpan payload) {
  if (starts_with(payload, {0x7f, 'E', 'L', 'F'})) return Compression::kNone;
  if (starts_with(payload, {0x1f, 0x8b})) return Compression::kGzip;
  if (starts_with(payload, {0xfd, '7', 'z', 'X', 'Z', 0})) return Compression::kXz;
  if (starts_with(payload, {0x5d, 0, 0})) return Compression::kLzma;
  if (starts_with(payload, {0x28, 0xb5, 0x2f, 0xfd})) return Compression::kZstd;
  if (starts_with(payload, {0x02, 0x21, 0x4c, 0x18})) return Compression::kLz4;
  if (starts_with(payload, {'B', 'Z', 'h'})) return Compression::kBzip2;
  return Compression::kUnknown;
}

Result<Bytes> decompress(ByteSpan payload, u64 limit) {
  switch (recognise(payload)) {
    case Compression::kUnknown: break;
    case Compression::kNone:
      if (payload.size() > limit) return too_large();
      return Bytes(payload.begin(), payload.end());
    case Compression::kGzip: return expand_gzip(payload, limit);
    case Compression::kXz:
    case Compression::kLzma: return expand_lzma(payload, limit, recognise(payload));
    case Compression::kZstd: return expand_zstd(payload, limit);
    case Compression::kLz4: return expand_lz4(payload, limit);
    case Compression::kBzip2: return expand_bzip2(payload, limit);
  }
  return fail(ErrorKind::kFormat, "the kernel's payload is compressed by an unknown method");
}

}  // namespace pollux::machine::boot
