// FPREM and FPREM1 of two finite numbers that are not zero, in integers: the same on every host.
//
// The rule where the manuals leave the number of bits to the maker (SDM vol. 2, FPREM: N between 32 and 63): with
// exponents D apart, D of 64 and more, a step takes 32 + D mod 32 bits off and sets C2; C0, C1 and C3 are 0 then, and
// the quotient is cut for FPREM1 too.
#pragma once

#include "cpu/interpret/x87_host.h"

namespace pollux::cpu::interpret::x87 {

// Whether the functions below take this operand.
bool has_remainder(const x86::X87Register& operand);

// st0 - st1 * quotient. status: #D, #U; C2, or the low three bits of the quotient in C1, C3 and C0. With an unmasked #D
// that is all, and the value is st0.
x87_host::Outcome fprem(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
x87_host::Outcome fprem1(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);

// A step that takes this many bits off, fewer than the exponents are apart; without C2. For tests: what other makers
// may do.
x87_host::Outcome partial_remainder(const x86::X87Register& st0, const x86::X87Register& st1, u16 control, unsigned bits);

}  // namespace pollux::cpu::interpret::x87
