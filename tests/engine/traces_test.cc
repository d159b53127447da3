// Where traces begin and end, as the translator's counters show it.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

// Each turn goes through the same traces, instead of beginning one wherever the turn before happened to end.
TEST(Traces, ALoopLongerThanATraceHasFewTraces) {
  constexpr unsigned kAdditions = 301;
  Machine m("translate");
  m.long_mode();
  std::vector<u8> code = {0xb9, 0x20, 0x4e, 0, 0};  // mov ecx, 20000
  for (unsigned n = 0; n < kAdditions; ++n)
    for (const u8 byte : {0x48, 0x83, 0xc0, 0x01}) code.push_back(byte);  // add rax, 1
  const u32 back = u32(5 - i32(code.size() + 9));
  for (const u8 byte : {0x83, 0xe9, 0x01, 0x0f, 0x85}) code.push_back(byte);  // sub ecx, 1; jnz
  put32(code, back);
  code.push_back(0xf4);  // hlt
  m.code(code);
  ASSERT_EQ(m.run(u64{1} << 40), cpu::StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 20'000u * kAdditions);
  EXPECT_LT(m.counted("engine.translations"), 100u);  // with the short ones, and those behind looks
}

// Where a group's range crosses a page, code goes on in the separate translation by itself.
class Crossing : public Machine {
 public:
  Crossing() : Machine("translate") { long_mode(); }

  void turn(const std::vector<u8>& what) {
    constexpr u64 kStack = 0x9010;
    code(what);
    state().gpr[x86::kRsp] = kStack;
    state().gpr[x86::kRcx] = 100'000;
    state().gpr[x86::kRdx] = 0x1000;
    state().gpr[x86::kRbx] = 41;
    ASSERT_EQ(run(u64{1} << 40), cpu::StopReason::kHalted);
    EXPECT_EQ(state().gpr[x86::kRax], 42u);
    EXPECT_EQ(state().gpr[x86::kRsp], kStack);
    EXPECT_LT(counted("engine.entries"), 1'000u);
  }
};

// The call lies between where it crosses and where the flags are overwritten.
TEST(Traces, CrossingWithFlagsOfTheTurnBeforeIsNotTheTranslators) {
  // next: mov rax, rbx; call f; sub ecx, 1; jnz next; hlt
  // f: push rbx; push rdi; pop rdi; pop rbx; add rax, 1; ret
  Crossing().turn({0x48, 0x89, 0xd8, 0xe8, 0x06, 0,    0,    0,    0x83, 0xe9, 0x01, 0x75,
                   0xf3, 0xf4, 0x53, 0x57, 0x5f, 0x5b, 0x48, 0x83, 0xc0, 0x01, 0xc3});
}

// The separate translation does not follow the call, since it would not soon return as far as it can know.
TEST(Traces, CrossingBeforeACallThatIsTooLongIsNotTheTranslators) {
  constexpr u8 kNops = 40;
  // next: mov rax, rbx; call f; sub ecx, 1; jz done; jmp rdx; done: hlt
  std::vector<u8> code = {0x48, 0x89, 0xd8, 0xe8, 8, 0, 0, 0, 0x83, 0xe9, 0x01, 0x74, 0x02, 0xff, 0xe2, 0xf4};
  // f: push rbx; push rdi; cmp rbx, rbx; jz short; nops; short: pop rdi; pop rbx; add rax, 1; ret
  for (const u8 byte : {u8{0x53}, u8{0x57}, u8{0x48}, u8{0x39}, u8{0xdb}, u8{0x74}, kNops}) code.push_back(byte);
  code.insert(code.end(), kNops, 0x90);
  for (const u8 byte : {0x5f, 0x5b, 0x48, 0x83, 0xc0, 0x01, 0xc3}) code.push_back(byte);
  Crossing().turn(code);
}

// The turn overwrites the flags behind where it crosses, and changes what they follow from before that.
TEST(Traces, CrossingWithFlagsToBeMadeAgainIsNotTheTranslators) {
  // push rbx; push rdi; push rsi; pop rsi; pop rdi; pop rbx; mov rax, rbx; add rax, 1; sub ecx, 1; jnz
  const std::initializer_list<u8> turn = {0x53, 0x57, 0x56, 0x5e, 0x5f, 0x5b, 0x48, 0x89, 0xd8,
                                          0x48, 0x83, 0xc0, 0x01, 0x83, 0xe9, 0x01, 0x75};
  const std::vector<u8> shift = {0x48, 0xc1, 0xe2, 0x03}, compare = {0x48, 0x39, 0xd3};  // shl rdx, 3; cmp rbx, rdx
  for (std::vector<u8> code : {shift, compare}) {
    code.insert(code.end(), turn);
    code.push_back(u8(-i64(code.size() + 1)));
    code.push_back(0xf4);  // hlt
    Crossing().turn(code);
  }
}

// A function in another page, which the trace goes on with.
TEST(Traces, CrossingInAnotherPageIsNotTheTranslators) {
  Crossing m;
  m.state().gpr[x86::kRbp] = 0x8ff8;
  // mov rdi, [rbp]; mov rsi, [rbp + 8]; lea rax, [rip + 42 - 0x500f]; ret
  m.bytes(0x5000, {0x48, 0x8b, 0x7d, 0, 0x48, 0x8b, 0x75, 8, 0x48, 0x8d, 0x05, 0x1b, 0xb0, 0xff, 0xff, 0xc3});
  // next: call 0x5000; sub ecx, 1; jnz next; hlt
  m.turn({0xe8, 0xfb, 0x3f, 0, 0, 0x83, 0xe9, 0x01, 0x75, 0xf6, 0xf4});
}

}  // namespace
}  // namespace pollux::test::engine
