#include "cpu/interpret/sse_approximate.h"

namespace pollux::cpu::interpret {

namespace {

constexpr u32 kSign = 0x80000000;
constexpr u32 kInfinity = 0x7f800000;
constexpr u32 kQuiet = 0x00400000;
constexpr u32 kDefaultNan = 0xffc00000;
constexpr unsigned kResultBits = 13;

struct Parts {
  u32 sign;
  int exponent;     // biased
  u32 significand;  // with the hidden bit
};
Parts split(u32 single) {
  return {single & kSign, int(single >> 23 & 0xff), (single & 0x7fffff) | 0x800000};
}
bool is_nan(u32 single) { return (single & ~kSign) > kInfinity; }

// significand: kResultBits + 1 bits (2^13..2^14), the last one still to be rounded away.
u32 join(u32 sign, int exponent, u32 significand) {
  significand = (significand + 1) >> 1;
  if (significand >> kResultBits) {
    significand >>= 1;
    ++exponent;
  }
  if (exponent <= 0) return sign;
  return sign | u32(exponent) << 23 | (significand << (24 - kResultBits) & 0x7fffff);
}

u64 square_root(u64 value) {  // floor, bit by bit
  u64 root = 0;
  for (u64 bit = u64(1) << 31; bit; bit >>= 1)
    if ((root | bit) * (root | bit) <= value) root |= bit;
  return root;
}

}  // namespace

u32 approximate_reciprocal(u32 single) {
  const Parts x = split(single);
  if (is_nan(single)) return single | kQuiet;
  if (x.exponent == 0xff) return x.sign;
  if (x.exponent == 0) return x.sign | kInfinity;
  // 1/(1.m) is 1 when m is zero, else in (1/2, 1): scaled to 2^13 .. 2^14.
  if (x.significand == 0x800000) return join(x.sign, 254 - x.exponent, 1u << kResultBits);
  return join(x.sign, 253 - x.exponent, u32((u64(1) << (24 + kResultBits)) / x.significand));
}

u32 approximate_reciprocal_root(u32 single) {
  const Parts x = split(single);
  if (is_nan(single)) return single | kQuiet;
  if (x.exponent == 0) return x.sign | kInfinity;
  if (x.sign) return kDefaultNan;
  if (x.exponent == 0xff) return 0;
  // x = s * 2^(2k) with s in [1, 4): 1/sqrt(s) is 1 when s is 1, else in (1/2, 1).
  const int unbiased = x.exponent - 127;
  const int half = unbiased >> 1;
  const u64 s = u64(x.significand) << (unbiased & 1);  // 23 bits of fraction
  if (s == 0x800000) return join(0, 127 - half, 1u << kResultBits);
  // floor(2^14 / sqrt(s)) = floor(sqrt(2^28 / s)); flooring the quotient first does not change it.
  return join(0, 126 - half, u32(square_root((u64(1) << (28 + 23)) / s)));
}

namespace xmm {

using x86::Xmm;

namespace {
template <u32 (*f)(u32)>
u64 both(u64 singles) {
  return u64(f(u32(singles >> 32))) << 32 | f(u32(singles));
}
}  // namespace

void rcpps(Xmm& to, const Xmm& from) {
  to = {both<approximate_reciprocal>(from.low), both<approximate_reciprocal>(from.high)};
}
void rsqrtps(Xmm& to, const Xmm& from) {
  to = {both<approximate_reciprocal_root>(from.low), both<approximate_reciprocal_root>(from.high)};
}
void rcpss(Xmm& to, const Xmm& from) {
  to.low = (to.low & ~u64(0xffffffff)) | approximate_reciprocal(u32(from.low));
}
void rsqrtss(Xmm& to, const Xmm& from) {
  to.low = (to.low & ~u64(0xffffffff)) | approximate_reciprocal_root(u32(from.low));
}

}  // namespace xmm
}  // namespace pollux::cpu::interpret
