// Writes one x86-64 instruction as bytes: just enough for a generator.
#pragma once

#include <vector>

#include "base/integers.h"

namespace pollux::test::translation {

// [base + index << scale + displacement]; base kRip: relative to the next instruction, displacement is then the target.
struct Memory {
  static constexpr int kNone = -1, kRip = -2;
  int base = kNone, index = kNone;
  u8 scale = 0;
  i32 displacement = 0;
  u8 segment = 0;         // 0x64, 0x65: the prefix
  bool narrow = false;    // 32-bit addresses
};

struct Form {
  u8 opcode = 0;
  u8 map = 0;             // 0; 1: 0F; 2: 0F 38; 3: 0F 3A
  u8 mandatory = 0;       // 66, F2, F3 as part of the opcode
  bool operand16 = false;
  bool wide = false;
  bool lock = false;
  bool force_rex = false;
  u8 immediate_bytes = 0;
  u64 immediate = 0;
};

// rip: where the instruction will be (for kRip).
std::vector<u8> encode(const Form& f, unsigned reg, unsigned rm);
std::vector<u8> encode(const Form& f, unsigned reg, const Memory& m, u64 rip);
// Without ModRM; reg is in the opcode's low bits when in_opcode.
std::vector<u8> encode_plain(const Form& f, unsigned reg = 0);

}  // namespace pollux::test::translation
