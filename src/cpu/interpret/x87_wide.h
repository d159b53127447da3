// Software floating point with a 128-bit significand, in integers only: the arithmetic under the x87's transcendental
// functions, the same on every host.
//
// A Wide is (-1)^negative * significand / 2^127 * 2^exponent with the top bit of the significand set, or zero.
// A Fraction is a number in [0, 2) as an integer over 2^127.
// Operations truncate: each errs by less than 2^-126 of its result, towards zero.
#pragma once

#include "x86/state.h"

namespace pollux::cpu::interpret {

struct Wide {
  bool negative = false;
  i32 exponent = 0;
  u128 significand = 0;  // 0: the number is zero

  bool zero() const { return significand == 0; }
};

using Fraction = u128;
inline constexpr Fraction kOne = Fraction(1) << 127;

constexpr u128 make_u128(u64 high, u64 low) { return u128(high) << 64 | low; }

// The upper half of the product.
u128 multiply_high(u128 a, u128 b);

Wide normalized(bool negative, i32 exponent, u128 significand);
Wide wide_of(i64 value);
// A finite register; denormal ones too.
Wide wide_of(const x86::X87Register& value);

Wide operator-(Wide a);
Wide operator+(const Wide& a, const Wide& b);
Wide operator-(const Wide& a, const Wide& b);
Wide operator*(const Wide& a, const Wide& b);
Wide operator/(const Wide& a, const Wide& b);  // b is not zero
Wide times(const Wide& a, Fraction b);
// |a| as a fraction of 2^128; |a| < 1.
u128 fixed_point(const Wide& a);
bool magnitude_less(const Wide& a, const Wide& b);

// To an 80-bit register by the control word's rounding, with the exceptions #O #U #P and C1 that the rounding gives
// (SDM vol. 1, 8.5.4 to 8.5.6; tininess after rounding). A result that overflows or underflows unmasked has its
// exponent adjusted by 24576.
struct Rounded {
  x86::X87Register value;
  u16 status = 0;
};
Rounded round_to_register(const Wide& a, u16 control);

}  // namespace pollux::cpu::interpret
