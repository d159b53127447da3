#include "cpu/translate/assembler.h"

#include <utility>

namespace pollux::cpu::translate {

namespace {
bool fits8(i32 value) { return value == i8(value); }
}  // namespace

void Assembler::prefixes(const Opcode& o, unsigned reg, unsigned index, unsigned rm) {
  if (o.prefix66) byte(0x66);
  if (o.repeat) byte(o.repeat);
  const unsigned rex = (o.wide ? 8 : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (rm >> 3 & 1);
  if (rex || o.byte_register) byte(u8(0x40 | rex));
  if (o.map) byte(0x0f);
  if (o.map == 2) byte(0x38);
  if (o.map == 3) byte(0x3a);
}

void Assembler::op(Opcode o, unsigned reg, unsigned rm) {
  prefixes(o, reg, 0, rm);
  ++mentions_[reg], ++mentions_[rm];
  byte(o.code);
  byte(u8(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

void Assembler::op(Opcode o, unsigned reg, const Address& rm) {
  const bool has_index = rm.index != kNoReg;
  POLLUX_CHECK(!has_index || rm.index != kRspReg, "rsp is no index");
  if (rm.in_gs) byte(0x65);
  prefixes(o, reg, has_index ? rm.index : 0, rm.base == kNoReg ? 0 : rm.base);
  ++mentions_[reg];
  byte(o.code);
  const u8 reg_field = u8((reg & 7) << 3);
  if (rm.base == kNoReg) {  // [index << scale + disp32]
    byte(u8(reg_field | 4));
    byte(u8(rm.scale << 6 | (has_index ? rm.index & 7 : 4) << 3 | 5));
    immediate(u32(rm.displacement), 4);
    return;
  }
  const bool none = rm.displacement == 0 && (rm.base & 7) != 5;
  const u8 mod = none ? 0 : fits8(rm.displacement) ? 0x40 : 0x80;
  if (has_index || (rm.base & 7) == 4) {
    byte(u8(mod | reg_field | 4));
    byte(u8(rm.scale << 6 | (has_index ? rm.index & 7 : 4) << 3 | (rm.base & 7)));
  } else {
    byte(u8(mod | reg_field | (rm.base & 7)));
  }
  if (mod == 0x40) immediate(u8(rm.displacement), 1);
  if (mod == 0x80) immediate(u32(rm.displacement), 4);
}

void Assembler::op_short(Opcode o, unsigned rm) {
  const u8 code = o.code;
  prefixes(o, 0, 0, rm);
  ++mentions_[rm];
  byte(u8((code & 0xf8) | (rm & 7)));
}

void Assembler::op_plain(Opcode o) {
  prefixes(o, 0, 0, 0);
  byte(o.code);
}

void Assembler::arithmetic(unsigned extension, Reg to, i32 value, bool wide) {
  const bool short_form = fits8(value);
  op({.code = u8(short_form ? 0x83 : 0x81), .wide = wide}, extension, to);
  immediate(u32(value), short_form ? 1 : 4);
}

void Assembler::arithmetic(unsigned extension, const Address& to, i32 value, bool wide) {
  const bool short_form = fits8(value);
  op({.code = u8(short_form ? 0x83 : 0x81), .wide = wide}, extension, to);
  immediate(u32(value), short_form ? 1 : 4);
}

void Assembler::make_pads(unsigned count) {
  constexpr u8 kTrap = 0xcc;
  pad_ = at_;
  for (unsigned n = 0; n < count * kPad; ++n) byte(kTrap);
  pads_end_ = at_;
}

// The farthest pad first: later jumps reach less.
u8* Assembler::jump_away_if(Condition c) {
  const u8* const behind = at_ + 2;
  if (pad_ == pads_end_ || behind - pad_ > 128) return jump_if(c);
  byte(u8(0x70 | c)), byte(u8(pad_ - behind));
  *pad_ = kJump;
  return std::exchange(pad_, pad_ + kPad) + 1;
}

u8* Assembler::jump_along_if(Condition c, u8* away) {
  const u8* const behind = at_ + 2;
  const bool has_pad = away[-1] == kJump && behind - (away - 1) <= 128;
  if (!has_pad) return jump_if(c);
  byte(u8(0x70 | c)), byte(u8(away - 1 - behind));
  return nullptr;
}

u8* Assembler::make_pad(u8* short_displacement) {
  const i64 distance = at_ - (short_displacement + 1);
  POLLUX_CHECK(distance == i8(distance), "a pad is within reach");
  *short_displacement = u8(distance);
  return jump();
}

void Assembler::vex(Reg to, Reg from, u8 map, Reg second, u8 prefix, u8 code) {
  ++mentions_[to], ++mentions_[from];
  byte(0xc4);
  byte(u8((to < 8 ? 0x80 : 0) | 0x40 | (from < 8 ? 0x20 : 0) | map));
  byte(u8((~second & 15) << 3 | prefix));
  byte(code);
  byte(u8(0xc0 | (to & 7) << 3 | (from & 7)));
}

void Assembler::rotate_right32(Reg to, Reg from, u8 count) {
  vex(to, from, 3, 0, 3, 0xf0);  // VEX.LZ.F2.0F3A.W0 F0 /r ib
  byte(count);
}

void Assembler::extract_bits32(Reg to, Reg from, Reg which) { vex(to, from, 2, which, 0, 0xf7); }

}  // namespace pollux::cpu::translate
