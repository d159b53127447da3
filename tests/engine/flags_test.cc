// Flags that code knows without having kept them.
#include <gtest/gtest.h>

#include "engines.h"
#include "x86/flags.h"

namespace pollux::test::engine {
namespace {

class Flags : public testing::TestWithParam<const char*> {
 protected:
  // Turns of: made; jne out; mov rdx, [rsi]; pushfq; pop rdi; sub ecx, 1; jnz next; out: hlt. What is pushed in the end.
  u64 pushed(std::vector<u8> made) {
    Machine m(GetParam());
    m.long_mode();
    m.put<u64>(kOperand, 0);
    m.state().gpr[x86::kRbx] = kOperand;
    m.state().gpr[x86::kRsi] = kOperand + 64;
    m.state().gpr[x86::kRsp] = 0x9800;
    m.state().gpr[x86::kRcx] = kTurns;
    m.state().gpr[x86::kRax] = 0;
    std::vector<u8> code = std::move(made);
    const auto then = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    then({0x75, 10, 0x48, 0x8b, 0x16, 0x9c, 0x5f, 0x83, 0xe9, 0x01, 0x75});
    then({u8(-int(code.size() + 1)), 0xf4});
    m.code(code);
    EXPECT_EQ(m.run(u64{1} << 40), cpu::StopReason::kHalted);
    EXPECT_EQ(m.state().gpr[x86::kRcx], 0u);
    return m.state().gpr[x86::kRdi] & x86::kArithmeticFlags;
  }

  static constexpr u64 kOperand = 0x9000, kZero = x86::kZf | x86::kPf;
  static constexpr unsigned kTurns = 20'000;
};

TEST_P(Flags, OfAComparisonWithMemoryThatIsEqual) { EXPECT_EQ(pushed({0x48, 0x3b, 0x03}), kZero); }
TEST_P(Flags, OfATestOfMemoryThatIsZero) { EXPECT_EQ(pushed({0xf6, 0x03, 0xff}), kZero); }
TEST_P(Flags, OfADifferenceThatIsZero) { EXPECT_EQ(pushed({0x29, 0xc0}), kZero); }
TEST_P(Flags, OfANegatedZero) { EXPECT_EQ(pushed({0xf7, 0xd8}), kZero); }

// ZF does not tell all.
TEST_P(Flags, OfAZeroWithACarry) {
  // mov eax, -1; then stc; inc eax, or add eax, 1
  EXPECT_EQ(pushed({0xb8, 0xff, 0xff, 0xff, 0xff, 0xf9, 0xff, 0xc0}), kZero | x86::kCf | x86::kAf);
  EXPECT_EQ(pushed({0xb8, 0xff, 0xff, 0xff, 0xff, 0x83, 0xc0, 0x01}), kZero | x86::kCf | x86::kAf);
}

// The same behind a zero that did.
TEST_P(Flags, OfAZeroBehindAnotherOne) {
  // cmp rax, [rbx]; jne to the next instruction; mov eax, -1; add eax, 1
  EXPECT_EQ(pushed({0x48, 0x3b, 0x03, 0x75, 0, 0xb8, 0xff, 0xff, 0xff, 0xff, 0x83, 0xc0, 0x01}),
            kZero | x86::kCf | x86::kAf);
}

// By CL, so perhaps by nothing; by one in the last turn, which shifts the highest bit out.
TEST_P(Flags, OfAShiftBehindAZero) {
  // cmp rax, [rbx]; jne to the next instruction; mov edx, 0x80000000; shl edx, cl
  EXPECT_EQ(pushed({0x48, 0x3b, 0x03, 0x75, 0, 0xba, 0, 0, 0, 0x80, 0xd3, 0xe2}), kZero | x86::kCf | x86::kOf);
}

// Where a group crosses pages, and then one of its accesses faults: the flags are those of the instruction before it,
// which makes them again. The operands' places come from a list.
class FlagsOfAFault : public testing::TestWithParam<const char*> {
 protected:
  // next: mov rbp, [rsi]; add rsi, 8; made; mov rax, [rbp]; mov rdi, [rbp + 8]; sub ecx, 1; jnz next; hlt
  u64 left_by(std::vector<u8> made) {
    constexpr u64 kList = 0x10'0000, kHalfMapped = 0x4000'0ff8;
    constexpr u64 kTurns = 20'000;
    Machine m(GetParam());
    m.long_mode();
    m.map_at_1_gib({0x20000});
    for (u64 n = 0; n < kTurns; ++n) m.put<u64>(kList + 8 * n, 0x8ff8);
    m.put<u64>(kList + 8 * (kTurns - 2), kHalfMapped - 64);  // so that the page is known
    m.put<u64>(kList + 8 * (kTurns - 1), kHalfMapped);
    m.state().gpr[x86::kRsi] = kList;
    m.state().gpr[x86::kRcx] = kTurns;
    m.state().gpr[x86::kRbx] = 41;
    m.state().gpr[x86::kR9] = 0xb000'0000'0000'0001;
    std::vector<u8> code = {0x48, 0x8b, 0x2e, 0x48, 0x83, 0xc6, 0x08};
    code.insert(code.end(), made.begin(), made.end());
    for (const u8 byte : {0x48, 0x8b, 0x45, 0x00, 0x48, 0x8b, 0x7d, 0x08, 0x83, 0xe9, 0x01, 0x75}) code.push_back(byte);
    code.push_back(u8(-i64(code.size() + 1)));
    code.push_back(0xf4);
    m.code(code);
    EXPECT_EQ(m.run(u64{1} << 40), cpu::StopReason::kShutdown);
    EXPECT_EQ(m.state().gpr[x86::kRcx], 1u);
    return m.state().rflags & x86::kArithmeticFlags;
  }
};

TEST_P(FlagsOfAFault, BehindAComparison) {
  EXPECT_EQ(left_by({0x48, 0x81, 0xfb, 0, 0x10, 0, 0}), x86::kCf | x86::kSf);  // cmp rbx, 0x1000
}

TEST_P(FlagsOfAFault, BehindAShift) {
  EXPECT_EQ(left_by({0x4c, 0x89, 0xca, 0x48, 0xc1, 0xe2, 0x03}), x86::kCf | x86::kSf);  // mov rdx, r9; shl rdx, 3
}

INSTANTIATE_TEST_SUITE_P(Engines, FlagsOfAFault, testing::Values("interpret", "translate", "check"));
INSTANTIATE_TEST_SUITE_P(Engines, Flags, testing::Values("interpret", "translate", "check"));

}  // namespace
}  // namespace pollux::test::engine
