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
  for (unsigned n = 0; n < 32; n += 8) code.push_back(u8(back >> n));
  code.push_back(0xf4);  // hlt
  m.code(code);
  ASSERT_EQ(m.run(u64{1} << 40), cpu::StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 20'000u * kAdditions);
  EXPECT_LT(m.counted("engine.translations"), 100u);  // with the short ones, and those behind looks
}

}  // namespace
}  // namespace pollux::test::engine
