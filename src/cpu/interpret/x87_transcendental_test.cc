// The transcendental functions against correctly rounded values (computed with 400-bit rational arithmetic), their
// special cases, and one digest that must be the same on every host.
#include "cpu/interpret/x87_transcendental.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret::x87 {
namespace {

using x86::X87Register;

enum class Function : u8 { kSin, kCos, kTan, k2xm1, kPatan, kYl2x, kYl2xp1 };

Outcome apply(Function f, const X87Register& st0, const X87Register& st1, u16 control) {
  switch (f) {
    case Function::kSin: return fsin(st0, control);
    case Function::kCos: return fcos(st0, control);
    case Function::kTan: return fptan(st0, control);
    case Function::k2xm1: return f2xm1(st0, control);
    case Function::kPatan: return fpatan(st0, st1, control);
    case Function::kYl2x: return fyl2x(st0, st1, control);
    case Function::kYl2xp1: return fyl2xp1(st0, st1, control);
  }
  return {};
}

constexpr u16 kNearest = 0x37f, kDown = 0x77f, kUp = 0xb7f, kZeroward = 0xf7f;
constexpr u64 kTopBit = u64(1) << 63;
constexpr X87Register kOneRegister{kTopBit, 0x3fff, {}};
constexpr X87Register kInfinityRegister{kTopBit, 0x7fff, {}};
constexpr X87Register kZeroRegister{};
constexpr X87Register negative(X87Register value) { return {value.significand, u16(value.sign_exponent ^ 0x8000), {}}; }

struct Golden {
  Function function;
  X87Register st0, st1, result;
};
constexpr Golden kGolden[] = {
    {Function::kSin, {0xc164d8399f767c45, 0xbffe, {}}, {0x0000000000000000, 0x0000, {}},
     {0xaf8450423ff3fdc9, 0xbffe, {}}},
    {Function::kCos, {0xf1446beab0c11fde, 0x4000, {}}, {0x0000000000000000, 0x0000, {}},
     {0xcf1ffa2b1cba1a29, 0xbffe, {}}},
    {Function::kTan, {0xf7330bdbd7210dff, 0xbffd, {}}, {0x0000000000000000, 0x0000, {}},
     {0x86314699854ad61a, 0xbffe, {}}},
    {Function::kSin, {0xe6a16a3b0d464138, 0x3ffe, {}}, {0x0000000000000000, 0x0000, {}},
     {0xc8acc69c227f0dc7, 0x3ffe, {}}},
    {Function::kCos, {0xf814e8a25f2dd97f, 0x4009, {}}, {0x0000000000000000, 0x0000, {}},
     {0xac2ba610859809ef, 0x3ffe, {}}},
    {Function::kTan, {0x8b33e968617959ce, 0xbffd, {}}, {0x0000000000000000, 0x0000, {}},
     {0x8ebcbb2b9824d7a8, 0xbffd, {}}},
    {Function::kSin, {0x835b73993fd42359, 0x4009, {}}, {0x0000000000000000, 0x0000, {}},
     {0xffff381c5c082ed1, 0x3ffe, {}}},
    {Function::kCos, {0xae9c82b1478c281d, 0x4014, {}}, {0x0000000000000000, 0x0000, {}},
     {0x876b7fb80249025a, 0xbffe, {}}},
    {Function::kTan, {0xcc11d357c30d8b76, 0x4000, {}}, {0x0000000000000000, 0x0000, {}},
     {0xc0a27cc6de0971e9, 0x3ffa, {}}},
    {Function::kSin, {0x9e115e4b9e30691c, 0x4034, {}}, {0x0000000000000000, 0x0000, {}},
     {0xd23b7710c37300fc, 0xbffe, {}}},
    {Function::kCos, {0x8074513021da8978, 0x3ffc, {}}, {0x0000000000000000, 0x0000, {}},
     {0xfdfd08d2ca8a33a8, 0x3ffe, {}}},
    {Function::kTan, {0xb729c619c60a3cab, 0xc011, {}}, {0x0000000000000000, 0x0000, {}},
     {0x98f451eaa404d96c, 0x3ffe, {}}},
    {Function::kCos, {0xc90fdaa22168c235, 0x3fff, {}}, {0x0000000000000000, 0x0000, {}},
     {0xece675d1fc8f8cbb, 0xbfbd, {}}},
    {Function::kTan, {0xc90fdaa22168c235, 0x3fff, {}}, {0x0000000000000000, 0x0000, {}},
     {0x8a51e04daabda35f, 0xc040, {}}},
    {Function::kSin, {0xc90fdaa22168c235, 0x4000, {}}, {0x0000000000000000, 0x0000, {}},
     {0xece675d1fc8f8cbb, 0xbfbe, {}}},
    {Function::k2xm1, {0xca0fe75d2a9eba0c, 0xbffe, {}}, {0x0000000000000000, 0x0000, {}},
     {0xd7bec3f6373e2b45, 0xbffd, {}}},
    {Function::kPatan, {0x8a0a8c9632ea6928, 0x3ffe, {}}, {0xf7f35634f0e3cd97, 0xbffe, {}},
     {0x8809e3023b9bf46d, 0xbfff, {}}},
    {Function::kYl2x, {0xe4cc4132f7108e96, 0x3fff, {}}, {0x8585a01c4c7d6df0, 0x4001, {}},
     {0xdfc39b1752a2b892, 0x4000, {}}},
    {Function::kYl2xp1, {0xef901b932a7c1880, 0x3ffc, {}}, {0xd4f46a6910acff00, 0xc000, {}},
     {0x812bac24668165c5, 0xbfff, {}}},
    {Function::k2xm1, {0x960d5a8f9a656aaf, 0xbff7, {}}, {0x0000000000000000, 0x0000, {}},
     {0xcfafcaaaa8263bd1, 0xbff6, {}}},
    {Function::kPatan, {0xb52a43abad8d194a, 0x4000, {}}, {0xdaf84e6b4f596727, 0x3fff, {}},
     {0x8b29942a840f93da, 0x3ffe, {}}},
    {Function::kYl2x, {0xd0d7d13fb2489191, 0x3fec, {}}, {0xf8f845f57b3120df, 0x3ffe, {}},
     {0x8e54aebaa668c2c6, 0xc003, {}}},
    {Function::kYl2xp1, {0xf9a01fe8419521fe, 0xbfeb, {}}, {0xdb8e8fb2bff29101, 0x4002, {}},
     {0x9a6eece35721c0d5, 0xbff0, {}}},
    {Function::k2xm1, {0xc9a937a68c8f95ef, 0x3fdd, {}}, {0x0000000000000000, 0x0000, {}},
     {0x8bc7dfb66df9c748, 0x3fdd, {}}},
    {Function::kPatan, {0x9419cf4d60597bdc, 0x3ffb, {}}, {0xb52fa53c0bf64ef7, 0xbffd, {}},
     {0xaf42af20190837ba, 0xbfff, {}}},
    {Function::kYl2x, {0xf453324ef486ab73, 0x3b53, {}}, {0xc177f1131e782196, 0xbfff, {}},
     {0xe1c9fa6a35321d94, 0x4009, {}}},
    {Function::kYl2xp1, {0xf129c8c6d1ca4dc4, 0x3fe0, {}}, {0xdad3ba328332f05a, 0x4004, {}},
     {0x94b3b34a03b2c0b2, 0x3fe7, {}}},
    {Function::kYl2x, {0x8000000000000001, 0x3fff, {}}, {0x8000000000000000, 0x3fff, {}},
     {0xb8aa3b295c17f0bb, 0x3fc0, {}}},
};

void expect_register(const X87Register& got, const X87Register& want, const std::string& of) {
  EXPECT_EQ(got.significand, want.significand) << of;
  EXPECT_EQ(got.sign_exponent, want.sign_exponent) << of;
}

TEST(X87Transcendental, ResultsAreCorrectlyRounded) {
  for (const Golden& golden : kGolden) {
    const Outcome out = apply(golden.function, golden.st0, golden.st1, kNearest);
    expect_register(out.value, golden.result, "row " + std::to_string(&golden - kGolden));
    EXPECT_EQ(out.status & ~kX87C1, kX87Pe);
  }
}

TEST(X87Transcendental, DirectedRoundingEnclosesTheNearestResult) {
  for (const Golden& golden : kGolden) {
    const X87Register low = apply(golden.function, golden.st0, golden.st1, kDown).value;
    const X87Register high = apply(golden.function, golden.st0, golden.st1, kUp).value;
    const X87Register cut = apply(golden.function, golden.st0, golden.st1, kZeroward).value;
    const bool below_zero = golden.result.sign_exponent >> 15;
    const u64 inner = below_zero ? high.significand : low.significand;
    const u64 outer = below_zero ? low.significand : high.significand;
    EXPECT_EQ(outer - inner, 1u);  // none of the rows lies at a power of two
    EXPECT_EQ(cut.significand, inner);
    EXPECT_TRUE(golden.result.significand == inner || golden.result.significand == outer);
  }
}

TEST(X87Transcendental, ATinyArgumentStillRoundsToTheRightSide) {
  const X87Register tiny{kTopBit, 0x3fff - 100, {}};
  expect_register(fsin(tiny, kNearest).value, tiny, "sin");
  expect_register(fsin(tiny, kDown).value, {~u64(0), 0x3fff - 101, {}}, "sin down");
  expect_register(fptan(tiny, kUp).value, {kTopBit | 1, 0x3fff - 100, {}}, "tan up");
  expect_register(fcos(tiny, kNearest).value, kOneRegister, "cos");
  expect_register(fcos(tiny, kZeroward).value, {~u64(0), 0x3ffe, {}}, "cos to zero");
}

TEST(X87Transcendental, ExactResultsRaiseNothing) {
  EXPECT_EQ(fsin(kZeroRegister, kNearest).status, 0);
  EXPECT_EQ(fcos(kZeroRegister, kNearest).status, 0);
  EXPECT_EQ(f2xm1(kOneRegister, kNearest).status, 0);
  expect_register(f2xm1(negative(kOneRegister), kNearest).value, {kTopBit, 0xbffe, {}}, "2^-1 - 1");
  const X87Register eight{kTopBit, 0x3fff + 3, {}};
  const Outcome log = fyl2x(eight, kOneRegister, kNearest);
  expect_register(log.value, {0xc000000000000000, 0x4000, {}}, "log2 8");
  EXPECT_EQ(log.status, 0);
}

TEST(X87Transcendental, AnglesOfTheAxesFollowTheManualsTable) {
  const X87Register pi{0xc90fdaa22168c235, 0x4000, {}}, half{0xc90fdaa22168c235, 0x3fff, {}};
  expect_register(fpatan(negative(kOneRegister), kZeroRegister, kNearest).value, pi, "atan2(0, -1)");
  expect_register(fpatan(kOneRegister, kZeroRegister, kNearest).value, kZeroRegister, "atan2(0, 1)");
  expect_register(fpatan(kZeroRegister, kOneRegister, kNearest).value, half, "atan2(1, 0)");
  expect_register(fpatan(kOneRegister, negative(kInfinityRegister), kNearest).value, negative(half), "atan2(-inf, 1)");
  expect_register(fpatan(kInfinityRegister, kInfinityRegister, kNearest).value, {0xc90fdaa22168c235, 0x3ffe, {}},
                  "atan2(inf, inf)");
}

TEST(X87Transcendental, OperandsOutsideTheDomainAreInvalid) {
  EXPECT_EQ(fsin(kInfinityRegister, kNearest).status, kX87Ie);
  EXPECT_EQ(fyl2x(negative(kOneRegister), kOneRegister, kNearest).status, kX87Ie);
  EXPECT_EQ(fyl2x(kZeroRegister, kZeroRegister, kNearest).status, kX87Ie);
  EXPECT_EQ(fyl2x(kOneRegister, kInfinityRegister, kNearest).status, kX87Ie);
  const Outcome pole = fyl2x(kZeroRegister, kOneRegister, kNearest);
  EXPECT_EQ(pole.status, kX87Ze);
  expect_register(pole.value, negative(kInfinityRegister), "log2 0");
}

TEST(X87Transcendental, AnArgumentBeyondTwoToThe63IsLeftWithC2) {
  const X87Register huge{kTopBit, 0x3fff + 63, {}};
  const Outcome out = fsin(huge, kNearest);
  EXPECT_EQ(out.status, kX87C2);
  expect_register(out.value, huge, "unchanged");
}

TEST(X87Transcendental, OverflowAndUnderflowFollowTheMasks) {
  const X87Register huge{kTopBit | 5, 0x7ffe, {}}, large{kTopBit, 0x7000, {}};
  const Outcome masked = fyl2x(large, huge, kNearest);
  EXPECT_EQ(masked.status & 0x3f, kX87Oe | kX87Pe);
  expect_register(masked.value, kInfinityRegister, "masked overflow");
  const Outcome unmasked = fyl2x(large, huge, kNearest & ~kX87Oe);
  EXPECT_EQ(unmasked.status & kX87Oe, kX87Oe);
  EXPECT_LT(unmasked.value.sign_exponent, 0x7fff - 16000);
  const X87Register least{3, 0, {}};
  const Outcome tiny = fsin(least, kNearest);
  EXPECT_EQ(tiny.status & 0x3f, kX87De | kX87Ue | kX87Pe);
  expect_register(tiny.value, least, "denormal sine");
}

TEST(X87Transcendental, EveryHostGetsTheSameDigest) {
  Random random(87);
  u64 digest = 0;
  for (unsigned n = 0; n < 20000; ++n) {
    const auto value = [&](int low, unsigned span) {
      const u64 significand = random.next() | kTopBit;
      const int exponent = 16383 + low + int(random.below(span));
      return X87Register{significand, u16(exponent | int(random.next() & 0x8000)), {}};
    };
    const auto function = Function(n % 7);
    const Outcome out = apply(function, value(-40, 60), value(-20, 40), u16(0x37f | random.next() % 4 << 10));
    digest = (digest ^ out.value.significand ^ u64(out.value.sign_exponent) << 40 ^ out.status) * 0x9e3779b97f4a7c15;
    digest ^= digest >> 29;
  }
  EXPECT_EQ(digest, 11298329404808324119u);
}

}  // namespace
}  // namespace pollux::cpu::interpret::x87
