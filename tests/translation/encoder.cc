#include "encoder.h"

namespace pollux::test::translation {

namespace {

using Bytes = std::vector<u8>;

void put(Bytes& b, u64 value, unsigned bytes) {
  for (unsigned n = 0; n < bytes; ++n) b.push_back(u8(value >> 8 * n));
}

void head(Bytes& b, const Form& f, unsigned reg, unsigned index, unsigned base) {
  if (f.lock) b.push_back(0xf0);
  if (f.operand16) b.push_back(0x66);
  if (f.mandatory) b.push_back(f.mandatory);
  const unsigned rex = (f.wide ? 8 : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
  if (rex || f.force_rex) b.push_back(u8(0x40 | rex));
  if (f.map) b.push_back(0x0f);
  if (f.map == 2) b.push_back(0x38);
  if (f.map == 3) b.push_back(0x3a);
}

}  // namespace

Bytes encode(const Form& f, unsigned reg, unsigned rm) {
  Bytes b;
  head(b, f, reg, 0, rm);
  b.push_back(f.opcode);
  b.push_back(u8(0xc0 | (reg & 7) << 3 | (rm & 7)));
  put(b, f.immediate, f.immediate_bytes);
  return b;
}

Bytes encode(const Form& f, unsigned reg, const Memory& m, u64 rip) {
  Bytes b;
  if (m.segment) b.push_back(m.segment);
  if (m.narrow) b.push_back(0x67);
  head(b, f, reg, m.index < 0 ? 0 : unsigned(m.index), m.base < 0 ? 0 : unsigned(m.base));
  b.push_back(f.opcode);
  const u8 reg_field = u8((reg & 7) << 3);
  if (m.base == Memory::kRip) {
    b.push_back(u8(reg_field | 5));
    const u64 next = rip + b.size() + 4 + f.immediate_bytes;
    put(b, u32(u64(i64(m.displacement)) - next), 4);
  } else if (m.base == Memory::kNone) {
    b.push_back(u8(reg_field | 4));
    b.push_back(u8(m.scale << 6 | (m.index < 0 ? 4 : m.index & 7) << 3 | 5));
    put(b, u32(m.displacement), 4);
  } else {
    const bool byte = m.displacement == i8(m.displacement);
    const bool none = m.displacement == 0 && (m.base & 7) != 5;
    const u8 mod = none ? 0 : byte ? 0x40 : 0x80;
    if (m.index >= 0 || (m.base & 7) == 4) {
      b.push_back(u8(mod | reg_field | 4));
      b.push_back(u8(m.scale << 6 | (m.index < 0 ? 4 : m.index & 7) << 3 | (m.base & 7)));
    } else {
      b.push_back(u8(mod | reg_field | (m.base & 7)));
    }
    if (!none) put(b, u32(m.displacement), byte ? 1 : 4);
  }
  put(b, f.immediate, f.immediate_bytes);
  return b;
}

Bytes encode_plain(const Form& f, unsigned reg) {
  Bytes b;
  head(b, f, 0, 0, reg);
  b.push_back(u8(f.opcode + (reg & 7)));
  put(b, f.immediate, f.immediate_bytes);
  return b;
}

}  // namespace pollux::test::translation
