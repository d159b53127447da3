// Operands that name one register twice.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

class Operands : public testing::TestWithParam<const char*> {};

TEST_P(Operands, AHighByteOfTheRegisterThatIsTheAddress) {
  constexpr u64 kByte = 0x9034;
  constexpr unsigned kTurns = 100'000;
  Machine m(GetParam());
  m.long_mode();
  m.state().gpr[x86::kRcx] = kTurns;
  // next: mov eax, 0x9034; add [rax], ah; sub ecx, 1; jnz next; hlt
  m.code({0xb8, 0x34, 0x90, 0, 0, 0x00, 0x20, 0x83, 0xe9, 0x01, 0x75, 0xf4, 0xf4});
  ASSERT_EQ(m.run(u64{1} << 40), cpu::StopReason::kHalted);
  EXPECT_EQ(m.get<u8>(kByte), u8(kTurns * (kByte >> 8)));
}

INSTANTIATE_TEST_SUITE_P(Engines, Operands, testing::Values("interpret", "translate", "check"));

}  // namespace
}  // namespace pollux::test::engine
