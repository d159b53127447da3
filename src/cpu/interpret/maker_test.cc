// What the manuals leave to the processor's maker has one result here, whatever the host would do: each rule against
// constants, so that a rule that is taken from the host fails on the hosts of the other maker.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"
#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u64 kData = 0x2000;
constexpr u64 kFlags = x86::kArithmeticFlags;
constexpr u64 kTop = u64(1) << 63;

class Maker : public ::testing::Test {
 protected:
  Maker() {
    machine.long_mode();
    s().gpr[x86::kRax] = kData;
    s().x87 = {};
    s().x87.control = 0x37f;
  }
  void one(const std::vector<u8>& code) {
    machine.code(code);
    machine.run(machine.cpu->position().value + 1);
  }
  // The arithmetic flags that an instruction leaves of these.
  u64 flags(u64 before, const std::vector<u8>& code) {
    s().rflags = (s().rflags & ~kFlags) | before;
    one(code);
    return s().rflags & kFlags;
  }
  // Executes it with two values on the x87 stack. Returns the exception flags and condition codes.
  u16 x87(x86::X87Register st0, x86::X87Register st1, const std::vector<u8>& code) {
    s().x87.status = 6 << 11;
    s().x87.tag = 0xc0;
    s().x87.registers[6] = st0;
    s().x87.registers[7] = st1;
    one(code);
    return s().x87.status & (kX87Conditions | kX87Exceptions);
  }
  const x86::X87Register& top() { return s().x87.registers[s().x87.status >> 11 & 7]; }
  void expect_top(u64 significand, u16 sign_exponent) {
    EXPECT_EQ(top().significand, significand);
    EXPECT_EQ(top().sign_exponent, sign_exponent);
  }
  void expect_xmm(unsigned n, u64 high, u64 low) {
    EXPECT_EQ(s().xmm[n].high, high);
    EXPECT_EQ(s().xmm[n].low, low);
  }
  x86::State& s() { return machine.state(); }

  TestMachine machine;
};

TEST_F(Maker, LogicClearsAf) {
  s().gpr[x86::kRcx] = 0xff;
  EXPECT_EQ(flags(kFlags, {0x48, 0x21, 0xc9}), x86::kPf);  // and rcx, rcx
  EXPECT_EQ(flags(kFlags, {0x48, 0x85, 0xc9}), x86::kPf);  // test
  EXPECT_EQ(flags(kFlags, {0x48, 0x09, 0xc9}), x86::kPf);  // or
  EXPECT_EQ(flags(kFlags, {0x48, 0x31, 0xc9}), x86::kPf | x86::kZf);
}

TEST_F(Maker, OfAfterAShiftIsByTheFormulaForOneBitAndAfIsClear) {
  const auto shifted = [&](u8 value, u8 modrm, u8 count) {
    s().gpr[x86::kRcx] = value;
    return flags(kFlags, {0xc0, modrm, count});
  };
  constexpr u8 kShl = 0xe1, kShr = 0xe9, kSar = 0xf9, kRol = 0xc1, kRor = 0xc9;  // of cl
  EXPECT_EQ(shifted(0x0a, kShl, 4), x86::kOf | x86::kSf | x86::kPf);
  EXPECT_EQ(shifted(0x1a, kShl, 4), x86::kCf | x86::kSf | x86::kPf);
  EXPECT_EQ(shifted(0xc0, kShr, 2), x86::kPf);
  EXPECT_EQ(shifted(0x80, kShr, 1), x86::kOf);
  EXPECT_EQ(shifted(0x81, kSar, 2), x86::kSf);
  EXPECT_EQ(shifted(0x18, kRol, 4), kFlags & ~x86::kOf);
  EXPECT_EQ(shifted(0x02, kRor, 2), kFlags);
  EXPECT_EQ(shifted(0xff, kShl, 9), x86::kZf | x86::kPf);  // CF beyond the width
  EXPECT_EQ(shifted(0xff, kShr, 9), x86::kZf | x86::kPf);
  EXPECT_EQ(shifted(0x80, kSar, 31), x86::kCf | x86::kSf | x86::kPf);
}

TEST_F(Maker, ADoubleShiftOf16BitsByMoreGoesAround) {
  s().gpr[x86::kRcx] = 0x1234;
  s().gpr[x86::kRdx] = 0x5678;
  one({0x66, 0x0f, 0xa4, 0xd1, 20});  // shld cx, dx, 20
  EXPECT_EQ(s().gpr[x86::kRcx], 0x6781u);
}

TEST_F(Maker, MultiplicationsClearWhatTheyDoNotDefineAndDivisionsLeaveAllFlags) {
  s().gpr[x86::kRax] = s().gpr[x86::kRcx] = 0x10;
  EXPECT_EQ(flags(kFlags, {0xf6, 0xe1}), x86::kCf | x86::kOf);  // mul cl
  s().gpr[x86::kRcx] = 0;
  EXPECT_EQ(flags(kFlags, {0x48, 0x0f, 0xaf, 0xca}), 0u);  // imul rcx, rdx
  s().gpr[x86::kRax] = 7;
  s().gpr[x86::kRcx] = 2;
  EXPECT_EQ(flags(kFlags, {0xf6, 0xf1}), kFlags);  // div cl
  EXPECT_EQ(flags(0, {0xf6, 0xf9}), 0u);           // idiv cl
}

TEST_F(Maker, BitInstructionsHaveOneResult) {
  s().gpr[x86::kRcx] = 0x1234567812345678;
  s().gpr[x86::kRdx] = 0;
  EXPECT_EQ(flags(kFlags, {0x0f, 0xbc, 0xca}), x86::kZf);  // bsf ecx, edx
  EXPECT_EQ(flags(kFlags, {0x0f, 0xbd, 0xca}), x86::kZf);  // bsr
  EXPECT_EQ(s().gpr[x86::kRcx], 0x1234567812345678u);
  one({0x66, 0x0f, 0xc9});  // bswap cx
  EXPECT_EQ(s().gpr[x86::kRcx], 0x1234567812340000u);
  s().gpr[x86::kRdx] = 8;
  EXPECT_EQ(flags(kFlags, {0x0f, 0xbc, 0xca}), 0u);
  EXPECT_EQ(flags(kFlags & ~x86::kCf, {0x0f, 0xba, 0xe2, 3}), kFlags);  // bt edx, 3
  EXPECT_EQ(flags(0, {0x0f, 0xba, 0xe2, 3}), x86::kCf);
}

TEST_F(Maker, BetweenTheIterationsOfAComparisonTheFlagsAreThoseOfTheLast) {
  s().gpr[x86::kRsi] = kData;
  s().gpr[x86::kRdi] = kData + 16;
  s().gpr[x86::kRcx] = 3;
  EXPECT_EQ(flags(x86::kCf | x86::kOf, {0xf3, 0xa6}), x86::kZf | x86::kPf);  // repe cmpsb
  EXPECT_EQ(s().rip, 0x1000u);
  EXPECT_EQ(s().gpr[x86::kRcx], 2u);
}

TEST_F(Maker, ARemainderThatDoesNotFinishTakes32BitsOffAndThoseAbove) {
  const x86::X87Register st0{kTop | 12345, 8100, {}}, st1{kTop | 777, 8000, {}};
  EXPECT_EQ(x87(st0, st1, {0xd9, 0xf8}), kX87C2);  // fprem
  expect_top(0xb4c0000000000000, 8050);
  EXPECT_EQ(x87(st0, st1, {0xd9, 0xf5}), kX87C2);  // fprem1
  expect_top(0xb4c0000000000000, 8050);
  EXPECT_EQ(x87({kTop, 0xc100, {}}, {kTop, 0x4000, {}}, {0xd9, 0xf8}), kX87C2);
  expect_top(0, 0x8000);
}

TEST_F(Maker, ARemainderThatFinishesHasItsQuotientsLowBits) {
  const x86::X87Register seven{u64(7) << 61, 0x4001, {}}, two{kTop, 0x4000, {}}, four{kTop, 0x4001, {}};
  EXPECT_EQ(x87(seven, two, {0xd9, 0xf8}), kX87C1 | kX87C3);  // fprem: 3, 1
  expect_top(kTop, 0x3fff);
  EXPECT_EQ(x87(seven, four, {0xd9, 0xf5}), kX87C3);  // fprem1: 2, -1
  expect_top(kTop, 0xbfff);
}

TEST_F(Maker, AComparisonsConditionCodesDoNotDependOnTheMasks) {
  const x86::X87Register one_register{kTop, 0x3fff, {}}, nan{kTop | kTop >> 1, 0x7fff, {}}, denormal{5, 0, {}};
  s().x87.control = 0x37c;                                     // #I and #D unmasked
  const std::vector<u8> fcom = {0xd8, 0xd1};  // fcom st1
  EXPECT_EQ(x87(nan, one_register, fcom), kX87C0 | kX87C2 | kX87C3 | kX87Ie);
  EXPECT_EQ(x87(denormal, one_register, fcom), kX87C0 | kX87De);
}

TEST_F(Maker, ALoadWithAnUnmaskedExceptionPushesNothing) {
  s().x87.control = 0x37d;
  machine.put<u32>(kData, 5);
  EXPECT_EQ(x87({}, {}, {0xd9, 0x00}), kX87De);  // fld dword [rax]
  EXPECT_EQ(s().x87.status & kX87Top, 6 << 11);
}

TEST_F(Maker, ADecimalDigitAboveNineCountsWhatItIsWorth) {
  machine.put<u64>(kData, ~u64(0));
  machine.put<u16>(kData + 8, 0x80ff);
  x87({}, {}, {0xdf, 0x20});  // fbld [rax]
  expect_top(0xb90984060d355548, 0xc03b);
}

TEST_F(Maker, OfTwoNansASumAcrossLanesTakesThatOfTheLower) {
  const x86::Xmm nans{0x7fc000027fc00001, 0x7fc000047fc00003}, more{0x7fc000067fc00005, 0x7fc000087fc00007};
  const auto two = [&](x86::Xmm to, x86::Xmm from, const std::vector<u8>& code) {
    s().xmm[0] = to;
    s().xmm[1] = from;
    one(code);
  };
  two(nans, more, {0xf2, 0x0f, 0x7c, 0xc1});  // haddps xmm0, xmm1
  expect_xmm(0, 0x7fc000077fc00005, 0x7fc000037fc00001);
  two(nans, more, {0xf2, 0x0f, 0x7d, 0xc1});  // hsubps
  expect_xmm(0, 0x7fc000077fc00005, 0x7fc000037fc00001);
  two({0x7ff8000000000001, 0x7ff8000000000002}, {0x7ff8000000000003, 0x7ff8000000000004}, {0x66, 0x0f, 0x7c, 0xc1});
  expect_xmm(0, 0x7ff8000000000003, 0x7ff8000000000001);  // haddpd

  const x86::Xmm ones{0x3f8000003f800000, 0x3f8000003f800000};
  two(nans, ones, {0x66, 0x0f, 0x3a, 0x40, 0xc1, 0xff});  // dpps xmm0, xmm1, 0xff: one sum for all lanes
  expect_xmm(0, 0x7fc000017fc00001, 0x7fc000017fc00001);
  two({0x7ff8000000000001, 0x7ff8000000000002}, {0x3ff0000000000000, 0x3ff0000000000000},
      {0x66, 0x0f, 0x3a, 0x41, 0xc1, 0x33});  // dppd
  expect_xmm(0, 0x7ff8000000000001, 0x7ff8000000000001);
}

}  // namespace
}  // namespace pollux::cpu::interpret
