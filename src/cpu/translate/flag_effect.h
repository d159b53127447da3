// What an instruction does to the arithmetic flags, as the translator needs to know it.
#pragma once

#include "cpu/decode/decode.h"

namespace pollux::cpu::translate {

// How the flags that the host's instruction leaves differ from the ones that the interpreter defines (the rules at
// the heads of cpu/interpret/shift.cc, multiply.cc and bit.cc).
enum class Repair : u8 {
  kNone,
  kClearAf,    // shifts
  kCarryOnly,  // multiplications: SF ZF AF PF are 0
  kZeroOnly,   // bit scans: all but ZF are 0
};

struct FlagEffect {
  bool reads = false;
  bool reads_carry_alone = false;  // of what it reads and of what it leaves, only CF matters
  bool writes_all = false;
  bool writes_some = false;  // and not all
  bool zero_tells_all = false;  // a result of zero sets ZF and PF, and clears the others
  Repair repair = Repair::kNone;
};

FlagEffect flag_effect(const decode::Decoded& d);

// The flags that host instructions of a shift by CL leave must be looked at by the count.
bool is_shift(decode::Mnemonic m);
bool is_rotate(decode::Mnemonic m);
bool is_double_shift(decode::Mnemonic m);
bool counts_by_cl(const decode::Decoded& d);
// The bits of a count that shifts and rotates look at.
unsigned count_mask(const decode::Decoded& d);

}  // namespace pollux::cpu::translate
