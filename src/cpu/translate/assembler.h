// Writes x86-64 instructions into memory. It knows encodings, not meanings: an instruction is its opcode bytes and its
// operands, so that guest instructions are written again with other registers by the same two functions.
//
// Source: SDM vol. 2, chapter 2.
#pragma once

#include <array>
#include <cstring>

#include "base/check.h"
#include "cpu/translate/registers.h"

namespace pollux::cpu::translate {

inline constexpr Reg kNoReg = 0xff;

// A memory operand: base + index << scale + displacement. in_gs: and the base of the host's GS.
struct Address {
  Reg base = kNoReg;
  i32 displacement = 0;
  Reg index = kNoReg;
  u8 scale = 0;
  bool in_gs = false;
};

struct Opcode {
  u8 code = 0;
  u8 map = 0;             // 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A
  bool wide = false;      // REX.W
  bool prefix66 = false;
  u8 repeat = 0;          // F2, F3
  bool byte_register = false;  // a register operand is SPL, BPL, SIL or DIL: wants a REX prefix
};

// Condition codes (SDM vol. 1, appendix B).
enum Condition : u8 { kO, kNo, kB, kNb, kZ, kNz, kBe, kNbe, kS, kNs, kP, kNp, kL, kNl, kLe, kNle };

class Assembler {
 public:
  Assembler() = default;
  Assembler(u8* at, u8* end) : at_(at), end_(end) {}

  u8* at() const { return at_; }
  // How many instructions have had the register as an operand so far, or are calls: as long as this stays the same, it
  // does. (A part of an address is no operand.)
  u32 mentions(Reg r) const { return mentions_[r]; }
  u64 room() const { return u64(end_ - at_); }

  // reg and rm: register numbers, or reg an opcode extension. An immediate follows by immediate().
  void op(Opcode o, unsigned reg, unsigned rm);
  void op(Opcode o, unsigned reg, const Address& rm);
  // An instruction whose register is in the opcode's low bits.
  void op_short(Opcode o, unsigned rm);
  // An instruction without operands to rename.
  void op_plain(Opcode o);
  void immediate(u64 value, unsigned bytes) {
    std::memcpy(at_, &value, bytes);
    at_ += bytes;
  }

  // What inserted code needs. 64-bit unless the name says otherwise.
  void mov(Reg to, Reg from) { op({.code = 0x8b, .wide = true}, to, from); }
  void mov32(Reg to, Reg from) { op({.code = 0x8b}, to, from); }
  void load(Reg to, const Address& from) { op({.code = 0x8b, .wide = true}, to, from); }
  void load32(Reg to, const Address& from) { op({.code = 0x8b}, to, from); }
  void store(const Address& to, Reg from) { op({.code = 0x89, .wide = true}, from, to); }
  void store32(const Address& to, Reg from) { op({.code = 0x89}, from, to); }
  void lea(Reg to, const Address& from) { op({.code = 0x8d, .wide = true}, to, from); }
  void mov_immediate32(Reg to, u32 value) { op_short({.code = 0xb8}, to), immediate(value, 4); }
  // extension: 0 add, 1 or, 4 and, 5 sub, 6 xor, 7 cmp.
  void arithmetic(unsigned extension, Reg to, i32 value, bool wide = true);
  void arithmetic(unsigned extension, const Address& to, i32 value, bool wide = true);
  void shift(unsigned extension, Reg to, u8 count, bool wide = true) {
    op({.code = 0xc1, .wide = wide}, extension, to), immediate(count, 1);
  }

  // RORX, of BMI2: leaves the flags alone.
  void rotate_right32(Reg to, Reg from, u8 count);
  // BEXTR, of BMI1. which: the first bit in the low byte, then how many.
  void extract_bits32(Reg to, Reg from, Reg which);

  // Jumps: return the place of their 32-bit displacement, for link().
  u8* jump() { return byte(kJump), displacement(); }
  u8* jump_if(Condition c) { return byte(0x0f), byte(u8(0x80 | c)), displacement(); }
  // Short jumps to pads: far jumps that nothing falls into, so that what runs is 2 bytes instead of 6. make_pads()
  // makes so many here; jump_away_if() is a jump by way of one of them, or where none is within reach a far one.
  void make_pads(unsigned count);
  u8* jump_away_if(Condition c);
  // By the same pad as that jump, and nullptr; or else a far one.
  u8* jump_along_if(Condition c, u8* away);
  // The other way round: returns the place of an 8-bit displacement, for the pad that is soon made behind it.
  u8* jump_to_pad_if(Condition c) { return byte(u8(0x70 | c)), at_++; }
  u8* make_pad(u8* short_displacement);
  static constexpr unsigned kPad = 5, kSavedByPad = 4;  // bytes
  u8* call() {
    for (u32& n : mentions_) ++n;
    return byte(0xe8), displacement();
  }
  void call(const u8* target) { link(call(), target); }
  void jump(const u8* target) { link(jump(), target); }
  void jump_if(Condition c, const u8* target) { link(jump_if(c), target); }
  void jump(const Address& target) { op({.code = 0xff}, 4, target); }
  static void link(u8* displacement, const u8* target) {
    const i32 distance = i32(target - (displacement + 4));
    std::memcpy(displacement, &distance, 4);
  }
  void link_here(u8* displacement) const { link(displacement, at_); }
  void byte(u8 b) { *at_++ = b; }
  template <class T>
  void write(const T& value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }

 private:
  static constexpr u8 kJump = 0xe9;
  void prefixes(const Opcode& o, unsigned reg, unsigned index, unsigned rm);
  // VEX of 128 bits and W0. map: 2: 0F38; 3: 0F3A. second: an operand, none is 0. prefix: 0: none; 3: F2.
  void vex(Reg to, Reg from, u8 map, Reg second, u8 prefix, u8 code);
  u8* displacement() {
    at_ += 4;
    return at_ - 4;
  }

  u8* at_ = nullptr;
  u8* end_ = nullptr;
  std::array<u32, 16> mentions_{};
  u8* pad_ = nullptr;  // the first one that is free
  u8* pads_end_ = nullptr;
};

}  // namespace pollux::cpu::translate
