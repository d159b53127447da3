// RCPPS and RSQRTPS: their error bound, order, special values, and one digest that must be the same on every host.
#include "cpu/interpret/sse_approximate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/random.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u32 kInfinity = 0x7f800000, kMinusInfinity = 0xff800000, kMinusZero = 0x80000000;
constexpr double kBound = 0x1p-13;  // the manual allows 1.5 * 2^-12

double value_of(u32 bits) { return double(std::bit_cast<float>(bits)); }

TEST(SseApproximate, TheReciprocalIsWithinItsBoundForEverySignificand) {
  u32 last = approximate_reciprocal(0x3f800000);
  EXPECT_EQ(last, 0x3f800000u);
  for (u32 bits = 0x3f800000; bits < 0x40000000; bits += 3) {
    const u32 result = approximate_reciprocal(bits);
    ASSERT_LE(std::fabs(value_of(result) * value_of(bits) - 1), kBound) << std::hex << bits;
    ASSERT_LE(result, last) << "not monotonic at " << std::hex << bits;
    last = result;
  }
}

TEST(SseApproximate, TheReciprocalRootIsWithinItsBoundForEverySignificandAndParity) {
  u32 last = approximate_reciprocal_root(0x3f800000);
  EXPECT_EQ(last, 0x3f800000u);
  for (u32 bits = 0x3f800000; bits < 0x40800000; bits += 5) {
    const u32 result = approximate_reciprocal_root(bits);
    ASSERT_LE(std::fabs(value_of(result) * std::sqrt(value_of(bits)) - 1), kBound) << std::hex << bits;
    ASSERT_LE(result, last) << "not monotonic at " << std::hex << bits;
    last = result;
  }
}

TEST(SseApproximate, PowersOfTwoAreExact) {
  for (int e = -125; e <= 125; ++e) {
    const u32 bits = std::bit_cast<u32>(std::ldexp(1.0f, e));
    EXPECT_EQ(value_of(approximate_reciprocal(bits)), std::ldexp(1.0, -e));
    if (e % 2 == 0) {
      EXPECT_EQ(value_of(approximate_reciprocal_root(bits)), std::ldexp(1.0, -e / 2));
    }
  }
}

TEST(SseApproximate, ZeroesAndDenormalsGiveInfinities) {
  for (const u32 small : {0u, 1u, 0x7fffffu}) {
    EXPECT_EQ(approximate_reciprocal(small), kInfinity);
    EXPECT_EQ(approximate_reciprocal(small | kMinusZero), kMinusInfinity);
    EXPECT_EQ(approximate_reciprocal_root(small), kInfinity);
    EXPECT_EQ(approximate_reciprocal_root(small | kMinusZero), kMinusInfinity);
  }
}

TEST(SseApproximate, InfinitiesAndTinyResultsGiveZeroes) {
  EXPECT_EQ(approximate_reciprocal(kInfinity), 0u);
  EXPECT_EQ(approximate_reciprocal(kMinusInfinity), kMinusZero);
  EXPECT_EQ(approximate_reciprocal_root(kInfinity), 0u);
  EXPECT_EQ(approximate_reciprocal(0x7f7fffff), 0u);  // the largest number: its reciprocal is denormal
}

TEST(SseApproximate, NegativeNumbersHaveNoRootAndNansBecomeQuiet) {
  EXPECT_EQ(approximate_reciprocal_root(0xbf800000), 0xffc00000u);
  EXPECT_EQ(approximate_reciprocal_root(kMinusInfinity), 0xffc00000u);
  EXPECT_EQ(approximate_reciprocal(0x7f800001), 0x7fc00001u);
  EXPECT_EQ(approximate_reciprocal_root(0xff812345), 0xffc12345u);
}

TEST(SseApproximate, TheScalarFormsKeepWhatIsAbove) {
  x86::Xmm to{0x1111111122222222, 0x3333333344444444};
  xmm::rcpss(to, {0x9999999940000000, 0});
  EXPECT_EQ(to.low, 0x111111113f000000u);
  EXPECT_EQ(to.high, 0x3333333344444444u);
}

TEST(SseApproximate, EveryHostGetsTheSameDigest) {
  Random random(12);
  u64 digest = 0;
  for (unsigned n = 0; n < 200000; ++n) {
    const u32 bits = u32(random.next());
    digest ^= approximate_reciprocal(bits) ^ u64(approximate_reciprocal_root(bits)) << 32;
    digest *= 0x9e3779b97f4a7c15;
    digest ^= digest >> 29;
  }
  EXPECT_EQ(digest, 8416257191999532308u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
