#include "cpu/interpret/x87_remainder.h"

#include "cpu/interpret/x87_stack.h"
#include "cpu/interpret/x87_wide.h"

namespace pollux::cpu::interpret::x87 {

using x86::X87Register;
using x87_host::Outcome;

namespace {

constexpr i32 kComplete = 64;  // exponents nearer than this leave nothing to be done

bool denormal(const X87Register& value) { return (value.sign_exponent & 0x7fff) == 0; }
u64 significand(const Wide& value) { return u64(value.significand >> 64); }

struct Division {
  u64 quotient, rest;  // its low 64 bits
};
// a * 2^bits by b.
Division divide(u64 a, u64 b, unsigned bits) {
  Division result{a / b, a % b};
  for (; bits > 0; --bits) {
    const u128 twice = u128(result.rest) << 1;
    const bool one = twice >= b;
    result = {result.quotient << 1 | u64(one), u64(one ? twice - b : twice)};
  }
  return result;
}

// exponent: that of the top bit of rest, were it set.
Outcome outcome(bool negative, i32 exponent, u64 rest, u16 status, u16 control) {
  const Rounded rounded = round_to_register(normalized(negative, exponent, u128(rest) << 64), control);
  return {rounded.value, u16(rounded.status | status)};
}

u16 flags_of(const X87Register& st0, const X87Register& st1) { return denormal(st0) || denormal(st1) ? kX87De : 0; }

u16 quotient_bits(u64 quotient) {
  return u16((quotient & 1 ? kX87C1 : 0) | (quotient & 2 ? kX87C3 : 0) | (quotient & 4 ? kX87C0 : 0));
}

template <bool kNearest>
Outcome remainder(const X87Register& st0, const X87Register& st1, u16 control) {
  const u16 flags = flags_of(st0, st1);
  if (flags & ~control) return {st0, flags};
  const Wide a = wide_of(st0), b = wide_of(st1);
  const i32 apart = a.exponent - b.exponent;
  if (apart >= kComplete) {
    Outcome partial = partial_remainder(st0, st1, control, 32 + unsigned(apart) % 32);
    partial.status |= kX87C2;
    return partial;
  }
  // Below half of st1 nothing is taken off by either instruction.
  if (apart < -1 || (apart < 0 && !kNearest)) {
    return outcome(a.negative, a.exponent, significand(a), flags, control);
  }
  Division d{0, significand(a)};
  u128 divisor = significand(b);
  i32 exponent = b.exponent;
  if (apart < 0) {
    divisor <<= 1;
    exponent = a.exponent;
  } else {
    d = divide(significand(a), significand(b), unsigned(apart));
  }
  bool negative = a.negative;
  if (kNearest && d.rest != 0) {
    const u128 twice = u128(d.rest) << 1;
    if (twice > divisor || (twice == divisor && (d.quotient & 1))) {
      d = {d.quotient + 1, u64(divisor - d.rest)};
      negative = !negative;
    }
  }
  return outcome(negative, exponent, d.rest, flags | quotient_bits(d.quotient), control);
}

}  // namespace

bool has_remainder(const X87Register& operand) {
  const unsigned exponent = operand.sign_exponent & 0x7fff;
  return operand.significand != 0 && exponent != 0x7fff && (exponent == 0 || operand.significand >> 63);
}

Outcome partial_remainder(const X87Register& st0, const X87Register& st1, u16 control, unsigned bits) {
  const Wide a = wide_of(st0), b = wide_of(st1);
  const Division d = divide(significand(a), significand(b), bits);
  return outcome(a.negative, a.exponent - i32(bits), d.rest, flags_of(st0, st1), control);
}

Outcome fprem(const X87Register& st0, const X87Register& st1, u16 control) {
  return remainder<false>(st0, st1, control);
}
Outcome fprem1(const X87Register& st0, const X87Register& st1, u16 control) {
  return remainder<true>(st0, st1, control);
}

}  // namespace pollux::cpu::interpret::x87
