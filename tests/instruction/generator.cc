#include "generator.h"

#include <cstring>

namespace pollux::test {

using cpu::decode::Decoded;
using cpu::decode::OperandKind;

struct Generator::Encoding {
  Decoded decoded;
  unsigned displacement_at = 0;  // of a 32-bit displacement in the code, 0 when there is none
  bool has_sib = false;
  bool absolute = false;         // MOV with an address in the instruction
};

namespace {

u64 aligned_down(u64 value, u64 to) { return value & ~(to - 1); }

// Where a memory operand of this size goes.
u64 random_target(Random& random, u64 size, bool must_align) {
  const u64 alignment = size >= 512 ? 64 : size >= 16 ? 16 : 8;
  u64 target;
  switch (random.below(32)) {
    case 0: case 1: case 2: target = kData + 0x1000 - 1 - random.below(size + 1); break;  // across the two pages
    case 3: case 4: target = kDataEnd - random.below(size + 2); break;                    // across the end
    case 5: return kReadOnly + 512 + random.below(64);
    case 6: return kDataEnd + random.below(256);
    case 7: return (random.next() << 48 | 0x8000'0000'0000) + random.below(4096);         // non-canonical mostly
    default:
      target = kWindow + kMargin + random.below(kWindowSize - 2 * kMargin - size);
  }
  if (must_align ? random.below(16) != 0 : random.below(2) == 0) target = aligned_down(target, alignment);
  return target;
}

// A write by a stack or string instruction: the window, mostly.
u64 random_pointer(Random& random) {
  switch (random.below(16)) {
    case 0: return kDataEnd - 8 + random.below(16);
    case 1: return kData + 0x1000 - 8 + random.below(16);
    case 2: return kWindow + kMargin + random.below(kWindowSize - 2 * kMargin);
    default: return aligned_down(kWindow + kMargin + random.below(kWindowSize - 2 * kMargin), 8);
  }
}

bool is_string(const Row& row) {
  switch (row.binding->mnemonic) {
    case ZYDIS_MNEMONIC_MOVSB: case ZYDIS_MNEMONIC_MOVSW: case ZYDIS_MNEMONIC_MOVSD: case ZYDIS_MNEMONIC_MOVSQ:
    case ZYDIS_MNEMONIC_STOSB: case ZYDIS_MNEMONIC_STOSW: case ZYDIS_MNEMONIC_STOSD: case ZYDIS_MNEMONIC_STOSQ:
    case ZYDIS_MNEMONIC_LODSB: case ZYDIS_MNEMONIC_LODSW: case ZYDIS_MNEMONIC_LODSD: case ZYDIS_MNEMONIC_LODSQ:
    case ZYDIS_MNEMONIC_SCASB: case ZYDIS_MNEMONIC_SCASW: case ZYDIS_MNEMONIC_SCASD: case ZYDIS_MNEMONIC_SCASQ:
    case ZYDIS_MNEMONIC_CMPSB: case ZYDIS_MNEMONIC_CMPSW: case ZYDIS_MNEMONIC_CMPSD: case ZYDIS_MNEMONIC_CMPSQ:
      return row.binding->operands[0].kinds == 0;
    default: return false;
  }
}

bool is_bit_test(int mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_BT || mnemonic == ZYDIS_MNEMONIC_BTS || mnemonic == ZYDIS_MNEMONIC_BTR ||
         mnemonic == ZYDIS_MNEMONIC_BTC;
}

bool branches(const Row& row) { return row.binding->traits & cpu::interpret::kBranch; }

}  // namespace

void Generator::random_state(Random& random, Input& out) const {
  State& s = out.state;
  for (u64& value : s.gpr) value = random_integer(random);
  if (code_bits_ == 32) {
    for (unsigned n = 0; n < 16; ++n) s.gpr[n] = n < 8 ? u32(s.gpr[n]) : 0;
  }
  s.gpr[4] = random_pointer(random);
  s.gpr[5] = random.below(2) ? random_pointer(random) : s.gpr[5];
  s.rip = kCodeAt;
  s.rflags = 0x202 | (random.next() & 0x8d5);
  if (random.below(4) == 0) s.rflags |= 0x400;
  std::memset(&s.fx, 0, sizeof s.fx);
  for (auto& value : s.fx.xmm) value = random_vector(random);
  if (code_bits_ == 32) std::fill(s.fx.xmm.begin() + 8, s.fx.xmm.end(), Fx::Register{});
  const u64 bits = random.next();
  s.fx.mxcsr = 0x1f80;
  if (bits & 1) s.fx.mxcsr |= u32(bits >> 8) & 0xe07f;  // rounding, FZ, DAZ, flags
  if ((bits & 0x1e) == 0) s.fx.mxcsr &= ~(u32(bits >> 32) & 0x1f80);

  const u64 x87 = random.next();
  s.fx.control = 0x37f;
  if (x87 & 1) s.fx.control = u16((s.fx.control & 0xf0ff) | (x87 >> 8 & 0xf00));  // rounding and precision
  if ((x87 & 0xe) == 0) s.fx.control &= u16(~(x87 >> 24 & 0x3f));
  s.fx.status = u16(x87 >> 32 & 0x7f47);  // C3-C0, TOP, SF, some flags
  s.fx.status &= u16(0x7f40 | (s.fx.control & 0x3f));
  if ((x87 & 0x1f0) == 0) s.fx.status |= u16(x87 >> 48 & 0x3f);
  if (s.fx.status & ~s.fx.control & 0x3f) s.fx.status |= 0x8080;
  s.fx.tag = (x87 & 0x3000) ? ((x87 & 0x4000) ? 0xff : u8(x87 >> 56)) : u8(0x7f << (x87 >> 56 & 7) | 1);
  if ((x87 & 0x3000) == 0x1000 && (s.fx.status >> 11 & 7) != 0) {  // as code leaves it: a few on the stack
    const unsigned top = s.fx.status >> 11 & 7;
    s.fx.tag = u8(0xff << top);
  }
  for (auto& value : s.fx.st) {
    value = random_extended(random);
    if (random.below(6) == 0) value = {random.next(), 0xffff};
  }
  random_memory(random, out.window.data(), out.window.size());
  random_memory(random, out.edge.data(), out.edge.size());
}

bool Generator::encode(Random& random, const Row& row, Input& out) const {
  const Template& t = row.templates[random.below(row.templates.size())];
  Encoding encoding;
  std::array<u8, 32> bytes{};
  unsigned n = 0;
  const bool memory = t.memory;
  encoding.absolute = memory && t.map == 0 && t.opcode >= 0xa0 && t.opcode <= 0xa3;
  if (memory && code_bits_ == 64 && random.below(16) == 0) bytes[n++] = 0x67;
  if (random.below(16) == 0) {
    constexpr u8 kOverrides[] = {0x26, 0x2e, 0x36, 0x3e};
    if (!branches(row)) bytes[n++] = kOverrides[random.below(4)];
  }
  if (memory && (row.binding->traits & cpu::interpret::kLockable) && random.below(8) == 0) bytes[n++] = 0xf0;
  if (t.prefix) {
    if (branches(row) && t.prefix == 0x66) return false;  // makers differ
    if (t.prefix >> 8) bytes[n++] = u8(t.prefix >> 8);
    bytes[n++] = u8(t.prefix);
  }
  if (code_bits_ == 64) {
    const u8 rex = u8(0x40 | (t.rex_w ? 8 : 0) | (random.below(2) ? random.next() & 7 : 0));
    if (rex != 0x40 || random.below(8) == 0) bytes[n++] = rex;
  }
  if (t.map) bytes[n++] = 0x0f;
  if (t.map >= 2) bytes[n++] = t.map == 2 ? 0x38 : 0x3a;
  bytes[n++] = t.opcode;
  if (memory && !encoding.absolute) {
    const unsigned mod = unsigned(random.below(3)), rm = unsigned(random.below(8));
    bytes[n++] = u8(mod << 6 | (t.modrm & 0x38) | rm);
    if (rm == 4) {
      bytes[n] = u8(random.next());
      encoding.has_sib = true;
      const bool no_base = mod == 0 && (bytes[n] & 7) == 5;
      ++n;
      if (mod == 2 || no_base) encoding.displacement_at = n;
      if (mod == 1) n += 1;
    } else if (mod == 2 || (mod == 0 && rm == 5)) {
      encoding.displacement_at = n;
    } else if (mod == 1) {
      n += 1;
    }
    if (mod == 1) bytes[n - 1] = u8(random.next());
    if (encoding.displacement_at) {
      const u32 displacement = u32(random_integer(random));
      std::memcpy(&bytes[n], &displacement, 4);
      n += 4;
    }
  } else if (!memory) {
    bytes[n++] = t.modrm;
  }
  for (unsigned k = n; k < n + 8; ++k) bytes[k] = u8(random.next());
  if (encoding.absolute) encoding.displacement_at = n;

  std::copy(bytes.begin(), bytes.begin() + 16, out.code.begin());
  if (row_of(code_bits_, std::as_bytes(std::span(bytes).first(15)), encoding.decoded) != row.binding) return false;
  if (encoding.decoded.has_memory != memory) return false;
  out.length = encoding.decoded.length;
  out.operand = 0;
  if (memory && !place_operand(random, row, encoding, out)) return false;
  if (!memory) place_implicit(random, row, encoding.decoded, out);
  return true;
}

bool Generator::place_operand(Random& random, const Row& row, Encoding& encoding, Input& out) const {
  using cpu::decode::kNoRegister;
  using cpu::decode::kRipRegister;
  const Decoded& d = encoding.decoded;
  auto& gpr = out.state.gpr;
  u64 size = 8;
  for (const auto& operand : d.operands) {
    if (operand.kind == OperandKind::kMemory) size = operand.bits ? operand.bits / 8 : 1;
  }
  const bool bit_test = is_bit_test(row.binding->mnemonic) && d.operands[1].kind == OperandKind::kGpr;
  u64 target = random_target(random, size, row.binding->traits & cpu::interpret::kAligned || size >= 512);
  if (bit_test) {
    // The bit offset reaches beyond the operand.
    const u8 reg = d.operands[1].number;
    if (reg == d.base || reg == d.index || reg == 4) return false;
    target = kData + 0x1000 + random.below(64) - 32;
    gpr[reg] = u64(i64(random.below(6000)) - 3000);
    if (code_bits_ == 32) gpr[reg] = u32(gpr[reg]);
  }
  if (code_bits_ == 32) target = u32(target);
  out.operand = target;

  if (row.binding->mnemonic == ZYDIS_MNEMONIC_FBLD && random.below(4) != 0) {
    for (unsigned n = 0; n < 9; ++n) {
      if (u8* const two = byte_at(out, target + n)) *two = u8(random.below(10) << 4 | random.below(10));
    }
  }
  if (encoding.absolute) {
    std::memcpy(&out.code[encoding.displacement_at], &target, d.address_size);
    return true;
  }
  const u64 scaled = d.index == kNoRegister ? 0 : gpr[d.index] << d.scale;
  if (d.base == kRipRegister || d.base == kNoRegister) {
    if (target >> 31) target = out.operand = kWindow + kMargin;
    if (d.index != kNoRegister && ((target - scaled + 0x80000000) >> 32) != 0) {
      if (d.index == 4) return false;
      gpr[d.index] = random.below(1000);
    }
    const u64 index = d.index == kNoRegister ? 0 : gpr[d.index] << d.scale;
    const u64 base = d.base == kRipRegister ? kCodeAt + d.length : 0;
    const u32 displacement = u32(target - index - base);
    if (!encoding.displacement_at) return false;
    std::memcpy(&out.code[encoding.displacement_at], &displacement, 4);
    return true;
  }
  if (d.base == d.index) return false;
  gpr[d.base] = target - scaled - u64(d.displacement);
  if (d.address_size == 4) {
    gpr[d.base] = u32(gpr[d.base]);
    if (code_bits_ == 64) {
      out.operand = u32(target);
      gpr[d.base] |= random.next() << 32;
      if (d.base == 4) gpr[4] = u32(gpr[4]);
    }
  }
  return true;
}

void Generator::place_implicit(Random& random, const Row& row, const Decoded& decoded, Input& out) const {
  auto& gpr = out.state.gpr;
  const int mnemonic = row.binding->mnemonic;
  if (is_string(row)) {
    gpr[6] = random_pointer(random);
    gpr[7] = random_pointer(random);
    if (random.below(2)) gpr[1] = random.below(4);
  }
  if (mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU || mnemonic == ZYDIS_MNEMONIC_MASKMOVQ) {
    gpr[7] = kWindow + kMargin + random.below(kWindowSize - 2 * kMargin);
    out.operand = gpr[7];
  }
  if (mnemonic == ZYDIS_MNEMONIC_XLAT) gpr[3] = kWindow + random.below(512);
  if (mnemonic == ZYDIS_MNEMONIC_LEAVE || mnemonic == ZYDIS_MNEMONIC_ENTER) gpr[5] = random_pointer(random);
  if (mnemonic == ZYDIS_MNEMONIC_DIV || mnemonic == ZYDIS_MNEMONIC_IDIV) {
    if (random.below(2)) gpr[2] = 0;
  }
  (void)decoded;
}

bool Generator::make(u64 seed, u64 number, u32 row, Input& out) const {
  Random random(seed ^ number * 0x9e3779b97f4a7c15 ^ u64(row) << 40);
  out.row = row;
  out.code_bits = u8(code_bits_);
  for (unsigned tries = 0; tries < 1000; ++tries) {
    random_state(random, out);
    if (encode(random, catalogue_.rows[row], out)) return true;
  }
  return false;
}

}  // namespace pollux::test
