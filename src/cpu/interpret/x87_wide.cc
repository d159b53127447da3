#include "cpu/interpret/x87_wide.h"

#include <bit>

#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret {

namespace {

unsigned leading_zeroes(u128 a) {
  const u64 high = u64(a >> 64);
  return unsigned(high ? std::countl_zero(high) : 64 + std::countl_zero(u64(a)));
}

constexpr int kBias = 16383;
constexpr int kAdjust = 24576;

}  // namespace

u128 multiply_high(u128 a, u128 b) {
  const u64 a1 = u64(a >> 64), a0 = u64(a), b1 = u64(b >> 64), b0 = u64(b);
  const u128 low = u128(a0) * b0, mid1 = u128(a1) * b0, mid2 = u128(a0) * b1;
  const u128 carry = (low >> 64) + u64(mid1) + u64(mid2);
  return u128(a1) * b1 + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
}

Wide normalized(bool negative, i32 exponent, u128 significand) {
  if (significand == 0) return {negative, 0, 0};
  const unsigned shift = leading_zeroes(significand);
  return {negative, exponent - i32(shift), significand << shift};
}

Wide wide_of(i64 value) {
  const u64 magnitude = value < 0 ? -u64(value) : u64(value);
  return normalized(value < 0, 127, magnitude);
}

Wide wide_of(const x86::X87Register& value) {
  const int exponent = value.sign_exponent & 0x7fff;
  return normalized(value.sign_exponent >> 15, (exponent ? exponent : 1) - kBias, u128(value.significand) << 64);
}

Wide operator-(Wide a) {
  a.negative = !a.negative;
  return a;
}

bool magnitude_less(const Wide& a, const Wide& b) {
  if (a.zero() || b.zero()) return a.zero() && !b.zero();
  return a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
}

Wide operator+(const Wide& a, const Wide& b) {
  if (a.zero()) return b;
  if (b.zero()) return a;
  const Wide& big = magnitude_less(a, b) ? b : a;
  const Wide& small = magnitude_less(a, b) ? a : b;
  const unsigned shift = unsigned(big.exponent - small.exponent);
  // One guard bit for the carry. What is shifted out of the small one is lost in a sum and counts as one unit in a
  // difference, so that both are truncated towards zero.
  const u128 left = big.significand >> 1;
  const u128 right = shift < 127 ? small.significand >> 1 >> shift : 0;
  const bool lost = shift >= 127 || (right << shift << 1) != small.significand;
  if (big.negative == small.negative) return normalized(big.negative, big.exponent + 1, left + right);
  if (a.exponent == b.exponent && a.significand == b.significand) return {};
  return normalized(big.negative, big.exponent + 1, left - right - (lost ? 1 : 0));
}

Wide operator-(const Wide& a, const Wide& b) { return a + -b; }

Wide operator*(const Wide& a, const Wide& b) {
  if (a.zero() || b.zero()) return {a.negative != b.negative, 0, 0};
  return normalized(a.negative != b.negative, a.exponent + b.exponent + 1, multiply_high(a.significand, b.significand));
}

Wide times(const Wide& a, Fraction b) {
  return a.zero() ? a : normalized(a.negative, a.exponent + 1, multiply_high(a.significand, b));
}

Wide operator/(const Wide& a, const Wide& b) {
  if (a.zero()) return {a.negative != b.negative, 0, 0};
  // Long division, one bit a step: remainder < divisor always.
  u128 remainder = a.significand;
  i32 exponent = a.exponent - b.exponent;
  u128 quotient = 0;
  if (remainder >= b.significand) {
    remainder -= b.significand;
    quotient = 1;
  } else {
    --exponent;
  }
  for (unsigned bits = quotient ? 127 : 128; bits > 0; --bits) {
    const bool carry = remainder >> 127;
    remainder <<= 1;
    quotient <<= 1;
    if (carry || remainder >= b.significand) {
      remainder -= b.significand;
      quotient |= 1;
    }
  }
  return {a.negative != b.negative, exponent, quotient};
}

u128 fixed_point(const Wide& a) {
  const int shift = -1 - a.exponent;
  return a.zero() || shift > 127 ? 0 : a.significand >> shift;
}

namespace {

// The top 64 bits of a 128-bit significand, rounded; carry: the rounding reached the next power of two.
struct Top {
  u64 significand;
  bool carry, up, inexact;
};
Top round_top(u128 significand, bool sticky, bool negative, u16 control) {
  const u64 top = u64(significand >> 64), rest = u64(significand);
  const bool inexact = rest != 0 || sticky;
  bool up = false;
  switch (control >> 10 & 3) {
    case 0: {
      constexpr u64 kHalf = u64(1) << 63;
      up = rest > kHalf || (rest == kHalf && (sticky || (top & 1)));
      break;
    }
    case 1: up = inexact && negative; break;
    case 2: up = inexact && !negative; break;
    case 3: break;
  }
  const u64 result = top + (up ? 1 : 0);
  return {result, up && result == 0, up, inexact};
}

Rounded finish(const Top& top, bool negative, int biased, u16 status) {
  if (top.inexact) status |= kX87Pe;
  if (top.up) status |= kX87C1;
  return {{top.significand, u16(u16(negative) << 15 | u16(biased)), {}}, status};
}

}  // namespace

Rounded round_to_register(const Wide& a, u16 control) {
  const u16 sign = u16(u16(a.negative) << 15);
  if (a.zero()) return {{0, sign, {}}, 0};
  Top top = round_top(a.significand, false, a.negative, control);
  int biased = a.exponent + kBias;
  if (top.carry) {
    top.significand = u64(1) << 63;
    ++biased;
  }
  if (biased >= 0x7fff) {
    if (!(control & kX87Oe)) return finish(top, a.negative, biased - kAdjust, kX87Oe);
    const unsigned rounding = control >> 10 & 3;
    const bool to_infinity = rounding == 0 || rounding == (a.negative ? 1u : 2u);
    const u64 significand = to_infinity ? u64(1) << 63 : ~u64(0);
    const u16 status = u16(kX87Oe | kX87Pe | (to_infinity ? kX87C1 : 0));
    return {{significand, u16(sign | (to_infinity ? 0x7fff : 0x7ffe)), {}}, status};
  }
  if (biased > 0) return finish(top, a.negative, biased, 0);
  if (!(control & kX87Ue)) return finish(top, a.negative, biased + kAdjust, kX87Ue);
  // Denormal: rounded once, at its own place.
  const unsigned shift = unsigned(1 - (a.exponent + kBias));
  const u128 shifted = shift < 128 ? a.significand >> shift : 0;
  const bool sticky = shift >= 128 || (shifted << shift) != a.significand;
  const Top tiny = round_top(shifted, sticky, a.negative, control);
  return finish(tiny, a.negative, tiny.significand >> 63 ? 1 : 0, tiny.inexact ? kX87Ue : 0);
}

}  // namespace pollux::cpu::interpret
