#include "cpu/interpret/x87_series.h"

#include <array>

namespace pollux::cpu::interpret::x87 {

namespace {

// 2/pi in [0, 1), most significant word last.
constexpr std::array<u64, 5> kTwoOverPi = {0xb7246e3a424dd2e0, 0xfe5163abdebbc561, 0xdb6295993c439041,
                                           0xfc2757d1f534ddc0, 0xa2f9836e4e441529};
constexpr u128 kPiBits = make_u128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
constexpr Wide kHalfPi{false, 0, kPiBits};
constexpr Wide kLn2{false, -1, make_u128(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
constexpr Wide kTwoOverLn2{false, 1, make_u128(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88)};

// Arctangents of the sixteenths.
constexpr std::array<Wide, 17> kArctangent = {{
    {},
    {false, -5, make_u128(0xffaaddb967ef4e36, 0xcb2792dc0e2e0d51)},
    {false, -4, make_u128(0xfeadd4d5617b6e32, 0xc897989f3e888ef7)},
    {false, -3, make_u128(0xbdcbda5e72d81134, 0x7b0b4f881c9c7487)},
    {false, -3, make_u128(0xfadbafc96406eb15, 0x6dc79ef5f7a217e5)},
    {false, -2, make_u128(0x9b13b9b83f5e5e69, 0xc5abb498d27af328)},
    {false, -2, make_u128(0xb7b0ca0f26f78473, 0x8aa32122dcfe4483)},
    {false, -2, make_u128(0xd327761e611fe5b6, 0x427c95e9001e7136)},
    {false, -2, make_u128(0xed63382b0dda7b45, 0x6fe445ecbc3a8d03)},
    {false, -1, make_u128(0x832bf4a6d9867e2a, 0x4b6a09cb61a515c0)},
    {false, -1, make_u128(0x8f005d5ef7f59f9b, 0x5c835e1665c43747)},
    {false, -1, make_u128(0x9a2f80e671bdda20, 0x4226f8e2204ff3bc)},
    {false, -1, make_u128(0xa4bc7d1934f70924, 0x19a87f2a457dac9e)},
    {false, -1, make_u128(0xaeac4c38b4d8c080, 0x14725e2f3e52070a)},
    {false, -1, make_u128(0xb8053e2bc2319e73, 0xcb2da55210a4443d)},
    {false, -1, make_u128(0xc0ce85b8ac526640, 0x89dd62c46e92fa24)},
    {false, -1, make_u128(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)},
}};

constexpr unsigned kFactorialTerms = 18;  // (pi/4)^(2*18) / 37! < 2^-150
constexpr unsigned kExponentialTerms = 36;
constexpr unsigned kAtanhTerms = 27;      // (3 - 2 sqrt 2)^(2*27) < 2^-137
constexpr unsigned kAtanTerms = 14;       // (1/32)^(2*14) = 2^-140

// 1 - z/(a(a+1)) (1 - z/((a+2)(a+3)) (...)): the series of sine over x (a = 2) and of cosine (a = 1) in z = x^2.
Fraction alternating(u128 z, u64 a) {
  Fraction sum = kOne;
  for (unsigned k = kFactorialTerms; k-- > 0;) {
    const u64 n = a + 2 * k;
    sum = kOne - multiply_high(sum, z) / (n * (n + 1));
  }
  return sum - 1;  // never exactly one
}

// 1 + z/3 + z^2/5 ..., or with alternating signs: atanh(s)/s and atan(s)/s in z = s^2.
Fraction odd_reciprocals(u128 z, unsigned terms, bool alternate) {
  Fraction sum = 0;
  for (unsigned k = terms; k-- > 0;) {
    const Fraction term = kOne / (2 * k + 1);
    const Fraction rest = multiply_high(sum, z);
    sum = alternate ? term - rest : term + rest;
  }
  return sum;
}

}  // namespace

Wide pi() { return {false, 1, kPiBits}; }
Wide half_pi() { return kHalfPi; }

Reduced reduce_by_half_pi(const Wide& x) {
  // |x| <= pi/4 needs no reduction.
  if (!magnitude_less({false, -1, kPiBits}, x)) return {x, 0};
  // |x| = m * 2^(exponent - 63); m * 2/pi as six words, of which `fraction_bits` are below the point.
  const u64 m = u64(x.significand >> 64);
  std::array<u64, 6> product{};
  u64 carry = 0;
  for (unsigned n = 0; n < 5; ++n) {
    const u128 p = u128(m) * kTwoOverPi[n] + carry;
    product[n] = u64(p);
    carry = u64(p >> 64);
  }
  product[5] = carry;
  const unsigned fraction_bits = unsigned(320 + 63 - x.exponent);  // 321 to 384
  // Moves the point to the top of the array: what falls out at the top is the integer part.
  const unsigned up = 384 - fraction_bits;  // 0 to 63
  const unsigned integer = up ? unsigned(product[5] >> (64 - up)) & 3 : 0;
  if (up) {
    for (unsigned n = 5; n > 0; --n) product[n] = product[n] << up | product[n - 1] >> (64 - up);
    product[0] <<= up;
  }
  unsigned quadrant = integer;
  bool negative = false;
  if (product[5] >> 63) {  // the nearer multiple is the next one
    quadrant = (quadrant + 1) & 3;
    negative = true;
    for (u64& word : product) word = ~word;  // one unit of 2^-384 less than the negation
  }
  i32 exponent = -1;
  unsigned top = 5;
  while (top > 1 && product[top] == 0) {
    --top;
    exponent -= 64;
  }
  const u128 high = make_u128(product[top], product[top - 1]);
  const u64 below = top > 1 ? product[top - 2] : 0;
  const unsigned shift = product[top] ? unsigned(__builtin_clzll(product[top])) : 0;
  const u128 bits = shift ? high << shift | below >> (64 - shift) : high;
  Wide remainder = normalized(negative, exponent - i32(shift), bits) * kHalfPi;
  if (x.negative) {
    quadrant = (4 - quadrant) & 3;
    remainder = -remainder;
  }
  return {remainder, quadrant};
}

Wide sine(const Wide& x) { return times(x, alternating(fixed_point(x * x), 2)); }

Wide cosine(const Wide& x) { return normalized(false, 0, alternating(fixed_point(x * x), 1)); }

Wide tangent(const Wide& x) {
  if (x.exponent < -62) {  // x^3/3 is below the last bit: x and a little more
    Wide result = x;
    result.significand |= 1;
    return result;
  }
  return sine(x) / cosine(x);
}

Wide angle(const Wide& y, const Wide& x) {
  const bool steep = magnitude_less(x, y);
  const Wide& low = steep ? x : y;
  const Wide& high = steep ? y : x;
  // The nearest sixteenth of low / high, found with a few bits.
  const i32 drop = high.exponent - low.exponent;
  const u64 numerator = drop > 8 ? 0 : u64(low.significand >> 68) >> drop;  // 60 bits
  const u64 denominator = u64(high.significand >> 68) >> 5;                 // over 32
  const unsigned sixteenth = unsigned((numerator / denominator + 1) >> 1);
  Wide w;
  if (sixteenth == 0) {
    w = low / high;
  } else {
    const Wide c = normalized(false, 127 - 4, sixteenth);
    w = (low - c * high) / (high + c * low);
  }
  const Fraction series = odd_reciprocals(fixed_point(w * w), kAtanTerms, true) - 1;
  const Wide small = kArctangent[sixteenth > 16 ? 16 : sixteenth] + times(w, series);
  return steep ? kHalfPi - small : small;
}

Wide exp2_minus_1(const Wide& x) {
  const Wide y = x * kLn2;
  const u128 magnitude = fixed_point(y);
  Fraction sum = kOne;  // (e^y - 1)/y = 1 + y/2 (1 + y/3 (1 + ...))
  for (unsigned k = kExponentialTerms; k > 1; --k) {
    const u128 rest = multiply_high(sum, magnitude) / k;
    sum = y.negative ? kOne - rest : kOne + rest;
  }
  return times(y, sum);
}

namespace {

// log2((1+s)/(1-s))
Wide log2_by_ratio(const Wide& s) {
  return times(s, odd_reciprocals(fixed_point(s * s), kAtanhTerms, false)) * kTwoOverLn2;
}

}  // namespace

Wide log2(const Wide& x) {
  constexpr u128 kRootTwo = make_u128(0xb504f333f9de6484, 0);
  Wide m = x;
  i32 k = x.exponent;
  m.exponent = 0;
  if (x.significand > kRootTwo) {
    ++k;
    m.exponent = -1;
  }
  const Wide one = wide_of(i64(1));
  const Wide s = (m - one) / (m + one);
  return wide_of(i64(k)) + (s.zero() ? s : log2_by_ratio(s));
}

Wide log2_of_1_plus(const Wide& x) { return log2_by_ratio(x / (wide_of(i64(2)) + x)); }

}  // namespace pollux::cpu::interpret::x87
