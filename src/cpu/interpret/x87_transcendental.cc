#include "cpu/interpret/x87_transcendental.h"

#include "cpu/interpret/x87_series.h"
#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret::x87 {

using x86::X87Register;

namespace {

enum class Class : u8 { kZero, kDenormal, kNormal, kInfinity, kNan };  // kNan: also unsupported encodings

Class classify(const X87Register& value) {
  const unsigned exponent = value.sign_exponent & 0x7fff;
  if (exponent == 0) return value.significand == 0 ? Class::kZero : Class::kDenormal;
  if (!(value.significand >> 63)) return Class::kNan;
  if (exponent == 0x7fff) return value.significand << 1 ? Class::kNan : Class::kInfinity;
  return Class::kNormal;
}
bool sign(const X87Register& value) { return value.sign_exponent >> 15; }
X87Register signed_register(bool negative, u16 exponent, u64 significand) {
  return {significand, u16(u16(negative) << 15 | exponent), {}};
}
X87Register zero(bool negative) { return signed_register(negative, 0, 0); }
X87Register infinity(bool negative) { return signed_register(negative, 0x7fff, u64(1) << 63); }
X87Register one(bool negative) { return signed_register(negative, 0x3fff, u64(1) << 63); }

// An operation that is not defined.
Outcome invalid() { return {kX87Indefinite, kX87Ie}; }

// NaNs and unsupported encodings: the host's rule for two operands says which one results, and whether it signals.
Outcome nan(const X87Register& a, const X87Register& b, u16 control) {
  const Outcome out = x87_host::fadd(a, b, control);
  return {out.value, u16(out.status & kX87Ie)};
}

// The rounded result, together with #D of a denormal operand, which unmasked comes before any result.
Outcome rounded(const Wide& value, u16 control, bool denormal) {
  if (denormal && !(control & kX87De)) return {{}, kX87De};
  const Rounded out = round_to_register(value, control);
  return {out.value, u16(out.status | (denormal ? kX87De : 0))};
}

constexpr int kTrigonometricLimit = 16383 + 63;
bool out_of_range(const X87Register& value) { return (value.sign_exponent & 0x7fff) >= kTrigonometricLimit; }

enum class Trigonometric : u8 { kSine, kCosine, kTangent };

Outcome trigonometric(const X87Register& x, u16 control, Trigonometric function) {
  const Class kind = classify(x);
  if (kind == Class::kNan) return nan(x, x, control);
  if (kind == Class::kInfinity) return invalid();
  if (kind == Class::kZero) return {function == Trigonometric::kCosine ? one(false) : x, 0};
  if (out_of_range(x)) return {x, kX87C2};
  const Reduced reduced = reduce_by_half_pi(wide_of(x));
  const Wide& r = reduced.remainder;
  const unsigned quadrant = reduced.quadrant;
  Wide result;
  switch (function) {
    case Trigonometric::kSine:
      result = quadrant & 1 ? cosine(r) : sine(r);
      if (quadrant & 2) result = -result;
      break;
    case Trigonometric::kCosine:
      result = quadrant & 1 ? sine(r) : cosine(r);
      if (((quadrant + 1) & 2) != 0) result = -result;
      break;
    case Trigonometric::kTangent:
      result = quadrant & 1 ? -(cosine(r) / sine(r)) : tangent(r);
      break;
  }
  return rounded(result, control, kind == Class::kDenormal);
}

}  // namespace

Outcome fsin(const X87Register& st0, u16 control) { return trigonometric(st0, control, Trigonometric::kSine); }
Outcome fcos(const X87Register& st0, u16 control) { return trigonometric(st0, control, Trigonometric::kCosine); }
Outcome fptan(const X87Register& st0, u16 control) { return trigonometric(st0, control, Trigonometric::kTangent); }

Outcome f2xm1(const X87Register& st0, u16 control) {
  const Class kind = classify(st0);
  if (kind == Class::kNan) return nan(st0, st0, control);
  if (kind == Class::kInfinity) return {sign(st0) ? one(true) : st0, 0};
  if (kind == Class::kZero) return {st0, 0};
  const Wide x = wide_of(st0);
  if (x.exponent >= 0) {  // 1 and -1 are exact
    const bool unit = x.exponent == 0 && x.significand << 1 == 0;
    return {unit && sign(st0) ? signed_register(true, 0x3ffe, u64(1) << 63) : st0, 0};
  }
  return rounded(exp2_minus_1(x), control, kind == Class::kDenormal);
}

Outcome fpatan(const X87Register& st0, const X87Register& st1, u16 control) {
  const Class x = classify(st0), y = classify(st1);
  if (x == Class::kNan || y == Class::kNan) return nan(st1, st0, control);
  const bool negative = sign(st1), left = sign(st0);
  const bool denormal = x == Class::kDenormal || y == Class::kDenormal;
  Wide angle_of;
  if (y == Class::kInfinity && x == Class::kInfinity) {
    const Wide quarter = times(half_pi(), kOne >> 1);
    angle_of = left ? pi() - quarter : quarter;
  } else if (y == Class::kZero || x == Class::kInfinity) {
    if (!left) return {zero(negative), u16(denormal ? kX87De : 0)};
    angle_of = pi();
  } else if (y == Class::kInfinity || x == Class::kZero) {
    angle_of = half_pi();
  } else {
    Wide a = wide_of(st0), b = wide_of(st1);
    a.negative = b.negative = false;
    angle_of = angle(b, a);
    if (left) angle_of = pi() - angle_of;
  }
  angle_of.negative = negative;
  return rounded(angle_of, control, denormal);
}

namespace {

// y * logarithm, where the logarithm is zero, finite or infinite.
struct Logarithm {
  Class kind;
  bool negative;
  Wide value;
};
Outcome product(const X87Register& y, Class y_class, const Logarithm& log, u16 control, bool denormal) {
  const bool negative = sign(y) != log.negative;
  const u16 status = denormal ? kX87De : 0;
  if (log.kind == Class::kInfinity) {
    if (y_class == Class::kZero) return invalid();
    return {infinity(negative), status};
  }
  if (log.kind == Class::kZero) {
    if (y_class == Class::kInfinity) return invalid();
    return {zero(negative), status};
  }
  if (y_class == Class::kInfinity) return {infinity(negative), status};
  if (y_class == Class::kZero) return {zero(negative), status};
  return rounded(wide_of(y) * log.value, control, denormal);
}

}  // namespace

Outcome fyl2x(const X87Register& st0, const X87Register& st1, u16 control) {
  const Class x = classify(st0), y = classify(st1);
  if (x == Class::kNan || y == Class::kNan) return nan(st1, st0, control);
  const bool denormal = x == Class::kDenormal || y == Class::kDenormal;
  if (x == Class::kZero) {
    if (y == Class::kZero) return invalid();
    const u16 status = y == Class::kInfinity ? 0 : kX87Ze;
    return {infinity(!sign(st1)), status};
  }
  if (sign(st0)) return invalid();
  Logarithm log{Class::kInfinity, false, {}};
  if (x != Class::kInfinity) {
    log.value = log2(wide_of(st0));
    log.kind = log.value.zero() ? Class::kZero : Class::kNormal;
    log.negative = !log.value.zero() && log.value.negative;
  }
  return product(st1, y, log, control, denormal);
}

Outcome fyl2xp1(const X87Register& st0, const X87Register& st1, u16 control) {
  const Class x = classify(st0), y = classify(st1);
  if (x == Class::kNan || y == Class::kNan) return nan(st1, st0, control);
  const bool denormal = x == Class::kDenormal || y == Class::kDenormal;
  if (x == Class::kInfinity) {
    if (sign(st0)) return invalid();
    return product(st1, y, {Class::kInfinity, false, {}}, control, denormal);
  }
  if (x == Class::kZero) return product(st1, y, {Class::kZero, sign(st0), {}}, control, denormal);
  const Wide value = wide_of(st0);
  if (value.exponent < -1) {
    return product(st1, y, {Class::kNormal, value.negative, log2_of_1_plus(value)}, control, denormal);
  }
  const Wide sum = wide_of(i64(1)) + value;
  if (sum.zero()) return fyl2x(zero(false), st1, control);
  if (sum.negative) return invalid();
  const Wide log = log2(sum);
  return product(st1, y, {Class::kNormal, log.negative, log}, control, denormal);
}

}  // namespace pollux::cpu::interpret::x87
