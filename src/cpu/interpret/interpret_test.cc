// The interpreter runs small programs in machine code.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

TEST(Interpreter, LoopsAndCountsEveryInstruction) {
  TestMachine m;
  m.long_mode();
  // mov ecx, 1000; l: add rax, rcx; dec ecx; jnz l; hlt
  m.code({0xb9, 0xe8, 0x03, 0, 0, 0x48, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xf9, 0xf4});
  EXPECT_EQ(m.run(1 << 20), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 500500u);
  EXPECT_EQ(m.cpu->position().value, 1u + 3000 + 1);
}

TEST(Interpreter, StopsAtAnyPositionExactly) {
  TestMachine m;
  m.long_mode();
  m.code({0xb9, 0xe8, 0x03, 0, 0, 0x48, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xf9, 0xf4});
  for (u64 p = 1; p < 200; ++p) {
    EXPECT_EQ(m.run(p), StopReason::kPosition);
    EXPECT_EQ(m.cpu->position().value, p);
  }
}

TEST(Interpreter, StoresAndCalls) {
  TestMachine m;
  m.long_mode();
  // call f; mov [rip+x], eax ...: call +1; hlt; f: mov eax, 7; mov [0x5000], eax; add [0x5000], eax; ret
  m.code({0xe8, 1, 0, 0, 0, 0xf4, 0xb8, 7, 0, 0, 0, 0x89, 0x04, 0x25, 0, 0x50, 0, 0, 0x01, 0x04, 0x25, 0, 0x50, 0, 0,
          0xc3});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  u32 value = 0;
  m.memory.load(memory::PhysAddr(0x5000), value);
  EXPECT_EQ(value, 14u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
