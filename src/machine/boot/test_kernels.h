// Small kernels made in memory, for tests: ELF files, Linux images around them, multiboot files. Included by tests only.
#pragma once

#include <bzlib.h>
#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "machine/boot/decompress.h"

namespace pollux::machine::boot::test {

template <class T>
void poke(Bytes& bytes, u64 at, T value) {
  POLLUX_CHECK(at + sizeof value <= bytes.size(), "a test writes inside its file");
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
ByteSpan bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// One segment at 1 MiB that holds contents (and 4096 zeroes more), entered at its start.
// notes: the contents of a PT_NOTE segment, or empty.
inline Bytes elf64(std::string_view contents, u64 physical = 0x100000, ByteSpan notes = {}) {
  constexpr u64 kContentsAt = 0x1000;
  ByteWriter out;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, "\x7f" "ELF\x02\x01\x01", 7);
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = 1;
  header.e_entry = physical;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = notes.empty() ? 1 : 2;
  out.put_bytes(bytes_of(header));
  Elf64_Phdr load{};
  load.p_type = PT_LOAD;
  load.p_offset = kContentsAt;
  load.p_paddr = physical;
  load.p_vaddr = physical;
  load.p_filesz = contents.size();
  load.p_memsz = contents.size() + 4096;
  out.put_bytes(bytes_of(load));
  if (!notes.empty()) {
    Elf64_Phdr note{};
    note.p_type = PT_NOTE;
    note.p_offset = sizeof header + 2 * sizeof load;
    note.p_filesz = note.p_memsz = notes.size();
    out.put_bytes(bytes_of(note));
    out.put_bytes(notes);
  }
  out.put_bytes(Bytes(kContentsAt - out.size()));
  out.put_bytes(as_bytes(contents));
  return out.take();
}

inline Bytes pvh_note(u32 entry) {
  ByteWriter note;
  note.put<u32>(4);
  note.put<u32>(4);
  note.put<u32>(18);
  note.put_bytes(as_bytes({"Xen\0", 4}));
  note.put<u32>(entry);
  return note.take();
}

inline Bytes compress(Compression method, ByteSpan from) {
  Bytes to(from.size() + from.size() / 8 + 65536);
  const auto* in = reinterpret_cast<const unsigned char*>(from.data());
  auto* out = reinterpret_cast<unsigned char*>(to.data());
  switch (method) {
    case Compression::kGzip: {
      z_stream stream{};
      deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
      stream.next_in = const_cast<unsigned char*>(in);
      stream.avail_in = uInt(from.size());
      stream.next_out = out;
      stream.avail_out = uInt(to.size());
      POLLUX_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "gzip");
      to.resize(stream.total_out);
      deflateEnd(&stream);
      break;
    }
    case Compression::kXz: {  // as Linux does it: x86 branches, CRC32
      lzma_options_lzma options;
      lzma_lzma_preset(&options, 6);
      const lzma_filter filters[] = {
          {LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
      size_t size = 0;
      POLLUX_CHECK(lzma_stream_buffer_encode(const_cast<lzma_filter*>(filters), LZMA_CHECK_CRC32, nullptr, in,
                                             from.size(), out, &size, to.size()) == LZMA_OK,
                   "xz");
      to.resize(size);
      break;
    }
    case Compression::kLzma: {
      lzma_options_lzma options;
      lzma_lzma_preset(&options, 6);
      lzma_stream stream = LZMA_STREAM_INIT;
      POLLUX_CHECK(lzma_alone_encoder(&stream, &options) == LZMA_OK, "lzma");
      stream.next_in = in;
      stream.avail_in = from.size();
      stream.next_out = out;
      stream.avail_out = to.size();
      POLLUX_CHECK(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END, "lzma");
      to.resize(stream.total_out);
      lzma_end(&stream);
      break;
    }
    case Compression::kZstd:
      to.resize(ZSTD_compress(out, to.size(), in, from.size(), 3));
      break;
    case Compression::kLz4: {
      poke<u32>(to, 0, 0x184c2102);
      const int size = LZ4_compress_default(reinterpret_cast<const char*>(in), reinterpret_cast<char*>(out) + 8,
                                            int(from.size()), int(to.size()) - 8);
      poke<u32>(to, 4, u32(size));
      to.resize(8 + u64(size));
      break;
    }
    case Compression::kBzip2: {
      unsigned size = unsigned(to.size());
      POLLUX_CHECK(BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(out), &size,
                                            const_cast<char*>(reinterpret_cast<const char*>(in)),
                                            unsigned(from.size()), 9, 0, 0) == BZ_OK,
                   "bzip2");
      to.resize(size);
      break;
    }
    case Compression::kNone:
    case Compression::kUnknown: to.assign(from.begin(), from.end());
  }
  return to;
}

inline constexpr u64 kTestPreferredAddress = 0x200000;
inline constexpr u32 kTestCommandLineLimit = 100;

// A bzImage of protocol 2.15 with one real-mode sector, the payload 0x40 bytes into the protected-mode part and
// followed by four bytes of size, as Linux has it.
inline Bytes linux_image(ByteSpan payload, u32 expanded_size) {
  constexpr u64 kPayloadAt = 0x400;
  Bytes file(1024 + kPayloadAt + payload.size() + 4);
  file.resize((file.size() + 15) & ~u64{15});
  poke<u8>(file, 0x1f1, 1);
  poke<u32>(file, 0x1f4, u32((file.size() - 1024) / 16));
  poke<u16>(file, 0x1fe, 0xaa55);
  poke<u8>(file, 0x201, 0x6a);
  poke<u32>(file, 0x202, 0x53726448);
  poke<u16>(file, 0x206, 0x020f);
  poke<u8>(file, 0x211, 0x03);  // loaded high; randomised, which the loader must clear
  poke<u32>(file, 0x22c, 0x7fffffff);
  poke<u16>(file, 0x236, 1);
  poke<u32>(file, 0x238, kTestCommandLineLimit);
  poke<u32>(file, 0x248, kPayloadAt);
  poke<u32>(file, 0x24c, u32(payload.size() + 4));
  poke<u64>(file, 0x258, kTestPreferredAddress);
  poke<u32>(file, 0x260, 0x10000);
  std::memcpy(file.data() + 1024 + kPayloadAt, payload.data(), payload.size());
  poke<u32>(file, 1024 + kPayloadAt + payload.size(), expanded_size);
  return file;
}

}  // namespace pollux::machine::boot::test
