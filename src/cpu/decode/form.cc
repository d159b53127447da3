// Source: SDM vol. 2, chapter 2 and appendix A.
#include "cpu/decode/form.h"

#include <algorithm>
#include <cstring>

namespace pollux::cpu::decode {

namespace {

constexpr unsigned kMaxHeader = 7;

// Bit n of row r: opcode 16 * r + n is followed by a ModRM byte. One-byte opcodes, then those behind 0F.
constexpr u16 kModrm[2][16] = {
    {0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0, 0, 0x0a0c, 0, 0xffff, 0, 0, 0, 0x00c3, 0xff0f, 0, 0xc0c0},
    {0x200f, 0xffff, 0xff0f, 0, 0xffff, 0xffff, 0xffff, 0xff7f, 0, 0xffff, 0xf838, 0xffff, 0x00ff, 0xffff, 0xffff,
     0x7fff},
};

bool is_legacy_prefix(u8 b) {
  switch (b) {
    case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: return true;
    default: return false;
  }
}

// VEX, EVEX and XOP or what they stand for in other modes; MOV with an offset.
bool is_rare(u8 opcode) {
  return opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62 || opcode == 0x8f || (opcode >= 0xa0 && opcode <= 0xa3);
}

}  // namespace

u64 form_key(CodeSize code_size, ByteSpan bytes) {
  const unsigned most = unsigned(std::min<std::size_t>(bytes.size(), kMaxHeader));
  const auto at = [&](unsigned n) { return u8(bytes[n]); };
  unsigned n = 0;
  bool short_address = code_size == CodeSize::k16;
  while (n < most && is_legacy_prefix(at(n))) {
    if (at(n) == 0x67) short_address = code_size == CodeSize::k32;
    ++n;
  }
  if (n < most && code_size == CodeSize::k64 && (at(n) & 0xf0) == 0x40) ++n;
  if (n >= most) return 0;
  u8 opcode = at(n++);
  bool modrm;
  if (opcode != 0x0f) {
    if (is_rare(opcode) || is_legacy_prefix(opcode) || (code_size == CodeSize::k64 && (opcode & 0xf0) == 0x40)) return 0;
    modrm = kModrm[0][opcode >> 4] >> (opcode & 15) & 1;
  } else {
    if (n >= most) return 0;
    opcode = at(n++);
    if (opcode == 0x0f) return 0;  // 3DNow!
    modrm = kModrm[1][opcode >> 4] >> (opcode & 15) & 1;
    if (opcode == 0x38 || opcode == 0x3a) ++n, modrm = true;
  }
  if (modrm) {
    if (n >= most) return 0;
    const u8 m = at(n++);
    if (m < 0xc0 && (m & 7) == 4 && !short_address) ++n;
  }
  if (n > most) return 0;
  u64 key = 0;
  std::memcpy(&key, bytes.data(), n);
  return key | u64(n << 2 | (unsigned(code_size) + 1)) << 56;
}

bool can_be_form(u64 key, const Decoded& d) {
  const Encoding& e = d.encoding;
  if (key >> 58 != unsigned(d.length - e.displacement_bytes - e.immediate_bytes)) return false;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    if (d.operands[k].kind == OperandKind::kFarPointer) return false;
  }
  return e.immediates < 2 && e.immediate_bytes <= 4 && e.displacement_bytes <= 4;
}

namespace {
u64 little_endian(const std::byte* from, unsigned bytes, bool sign_extended) {
  u64 value = 0;
  std::memcpy(&value, from, bytes);
  const unsigned unused = 64 - bytes * 8;
  return sign_extended ? u64(i64(value << unused) >> unused) : value;
}
}  // namespace

DecodeStatus fill_form(ByteSpan bytes, Decoded& out) {
  if (bytes.size() < out.length) return DecodeStatus::kTruncated;
  const Encoding& e = out.encoding;
  const std::byte* const immediate = bytes.data() + out.length - e.immediate_bytes;
  if (e.immediate_bytes) out.immediate = little_endian(immediate, e.immediate_bytes, e.immediate_signed);
  if (e.displacement_bytes) {
    out.displacement = i64(little_endian(immediate - e.displacement_bytes, e.displacement_bytes, true));
  }
  return DecodeStatus::kOk;
}

}  // namespace pollux::cpu::decode
