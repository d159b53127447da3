// FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1, whose last bits differ between makers of processors. Here they
// are computed in integers with 128 bits of precision, so they are the same on every host, in both engines.
//
// Method: power series after argument reduction, in x87_wide.h. Sine, cosine, tangent: the remainder by pi/2 with 2/pi
// to 320 bits, so the reduction is as if by exact pi for every argument below 2^63. Arctangent: nearest sixteenth from
// a table. Logarithm: atanh series about the nearest power of two. The intermediate result errs by less than 2^-110;
// so the rounded one is below 0.51 ulp from the exact one, in every rounding mode within one ulp, and as good as
// always correctly rounded. The functions are as monotonic as correct rounding is.
//
// Exceptions as in SDM vol. 2 for each instruction: a NaN operand, an invalid operation, a division by zero, a
// denormal operand, overflow, underflow, inexact. All results save those named exact there are inexact (#P).
// Where the manual leaves a result undefined: F2XM1 of |x| > 1 gives x; FYL2XP1 outside its range gives y * log2(x + 1)
// by the rules of FYL2X.
#pragma once

#include "cpu/interpret/x87_host.h"

namespace pollux::cpu::interpret::x87 {

using x87_host::Outcome;

// One operand. status: exceptions and C1; C2 when a trigonometric operand is out of range, nothing is to be changed
// then. After an unmasked #I or #D the value means nothing.
Outcome fsin(const x86::X87Register& st0, u16 control);
Outcome fcos(const x86::X87Register& st0, u16 control);
Outcome fptan(const x86::X87Register& st0, u16 control);
Outcome f2xm1(const x86::X87Register& st0, u16 control);

// Two operands.
Outcome fpatan(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
Outcome fyl2x(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
Outcome fyl2xp1(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);

}  // namespace pollux::cpu::interpret::x87
