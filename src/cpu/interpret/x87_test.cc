// x87 and MMX through the interpreter: what the stack, the tags, the masks and the unit's switches do.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"
#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u64 kData = 0x2000, kHandler = 0x5000;
constexpr x86::X87Register kOne{u64(1) << 63, 0x3fff, {}};

class X87 : public ::testing::Test {
 protected:
  X87() {
    machine.long_mode();
    for (const u8 vector : {6, 7, 13, 16, 19}) machine.gate64(vector, kHandler + 16 * vector);
    machine.state().x87 = {};
    machine.state().gpr[x86::kRax] = kData;
  }
  // One instruction. Returns the exception it raised, or -1.
  int one(const std::vector<u8>& code) {
    machine.state().gpr[x86::kRsp] = 0x9000;
    machine.code(code);
    for (u64 n = 0; n < 32; ++n) machine.put<u8>(kHandler + 16 * n, 0x90);
    machine.run(machine.cpu->position().value + 1);
    const u64 at = machine.state().rip - kHandler;
    return at < 0x200 ? int(at / 16) : -1;
  }
  x86::X87& f() { return machine.state().x87; }
  X87Stack stack() { return X87Stack(f()); }

  TestMachine machine;
};

TEST_F(X87, ALoadPushesAndItsRegisterIsNoLongerEmpty) {
  EXPECT_EQ(one({0xd9, 0xe8}), -1);  // fld1
  EXPECT_EQ(stack().top(), 7u);
  EXPECT_EQ(f().tag, 0x80);
  EXPECT_EQ(f().registers[7].significand, kOne.significand);
}

TEST_F(X87, APushOntoAFullStackIsAMaskedOverflow) {
  f().tag = 0xff;
  EXPECT_EQ(one({0xd9, 0xe8}), -1);
  EXPECT_EQ(f().status & 0x3f43, 0x3800 | kX87Ie | kX87Sf | kX87C1);
  EXPECT_EQ(stack().st(0).sign_exponent, 0xffff);
}

TEST_F(X87, AnUnmaskedUnderflowChangesNothingAndTheNextWaitingInstructionFaults) {
  f().control = 0x37e;
  EXPECT_EQ(one({0xd8, 0xc1}), -1);  // fadd st0, st1, both empty
  EXPECT_EQ(f().status, kX87Ie | kX87Sf | kX87Es | kX87Busy);
  EXPECT_EQ(f().tag, 0);
  EXPECT_EQ(one({0xdf, 0xe0}), -1);  // fnstsw does not wait
  EXPECT_EQ(one({0xd9, 0xe8}), 16);
  EXPECT_EQ(one({0x0f, 0x6f, 0xc8}), 16);  // nor does MMX run past it
  EXPECT_EQ(one({0x9b}), 16);
  EXPECT_EQ(one({0xdb, 0xe2}), -1);  // fnclex
  EXPECT_EQ(one({0x9b}), -1);
}

TEST_F(X87, WithoutCr0NeAPendingExceptionIsIgnored) {
  machine.state().cr0 &= ~u64(x86::kCr0Ne);
  f().control = 0x37e;
  f().status = kX87Ie | kX87Es | kX87Busy;
  EXPECT_EQ(one({0xd9, 0xe8}), -1);
}

TEST_F(X87, TheSwitchesOfTheUnitComeFirst) {
  machine.state().cr0 |= x86::kCr0Ts | x86::kCr0Mp;
  EXPECT_EQ(one({0xd9, 0xe8}), 7);
  EXPECT_EQ(one({0x9b}), 7);
  EXPECT_EQ(one({0x0f, 0x6f, 0xc8}), 7);
  EXPECT_EQ(one({0x0f, 0x58, 0xc1}), 7);
  machine.state().cr0 = (machine.state().cr0 & ~u64(x86::kCr0Ts)) | x86::kCr0Em;
  EXPECT_EQ(one({0xd9, 0xe8}), 7);
  EXPECT_EQ(one({0x0f, 0x6f, 0xc8}), 6);
  EXPECT_EQ(one({0x0f, 0x58, 0xc1}), 6);
}

TEST_F(X87, AStoreThatFaultsLeavesStackAndStatus) {
  one({0xd9, 0xe8});
  machine.gate64(14, kHandler + 16 * 14);
  machine.state().gpr[x86::kRax] = u64(2) << 30;  // not mapped
  const u16 status = f().status;
  EXPECT_EQ(one({0xd9, 0x18}), 14);  // fstp dword [rax]
  EXPECT_EQ(f().status, status);
  EXPECT_EQ(f().tag, 0x80);
}

TEST_F(X87, ChangingTheMasksDecidesAnewWhatIsPending) {
  f().status = kX87Ze;
  machine.put<u16>(kData, 0x37b);
  EXPECT_EQ(one({0xd9, 0x28}), -1);  // fldcw
  EXPECT_TRUE(f().status & kX87Es);
  EXPECT_EQ(one({0xd9, 0xe8}), 16);
}

TEST_F(X87, TheEnvironmentGoesAroundInBothSizes) {
  one({0xd9, 0xe8});
  one({0xd9, 0xee});
  const x86::X87 before = f();
  for (const bool narrow : {false, true}) {
    const std::vector<u8> prefix = narrow ? std::vector<u8>{0x66} : std::vector<u8>{};
    const auto with = [&](u8 a, u8 b) {
      std::vector<u8> code = prefix;
      code.insert(code.end(), {a, b});
      return code;
    };
    EXPECT_EQ(one(with(0xdd, 0x30)), -1);  // fnsave
    EXPECT_EQ(f().tag, 0);
    EXPECT_EQ(f().control, 0x37f);
    EXPECT_EQ(machine.get<u16>(kData + (narrow ? 4 : 8)), 0x1fff);  // zero, valid, empty ...
    EXPECT_EQ(one(with(0xdd, 0x20)), -1);  // frstor
    EXPECT_EQ(f().status, before.status);
    EXPECT_EQ(f().tag, before.tag);
    EXPECT_EQ(f().registers[7].sign_exponent, 0x3fff);
  }
}

TEST_F(X87, ThePointersNameTheLastInstructionAndItsOperand) {
  EXPECT_EQ(one({0xd9, 0x40, 0x08}), -1);  // fld dword [rax+8]
  EXPECT_EQ(f().instruction_pointer, 0x1000u);
  EXPECT_EQ(f().data_pointer, kData + 8);
  EXPECT_EQ(f().opcode, 0x140);
  EXPECT_EQ(one({0xd9, 0x7d, 0x00}), -1);  // fnstcw is control: no trace
  EXPECT_EQ(f().opcode, 0x140);
}

TEST_F(X87, AnMmxInstructionTakesTheRegistersAndEmmsGivesThemBack) {
  f().status = 5 << 11;
  machine.put<u64>(kData, 0x1122334455667788);
  EXPECT_EQ(one({0x0f, 0x6f, 0x18}), -1);  // movq mm3, [rax]
  EXPECT_EQ(f().tag, 0xff);
  EXPECT_EQ(stack().top(), 0u);
  EXPECT_EQ(f().registers[3].significand, 0x1122334455667788u);
  EXPECT_EQ(f().registers[3].sign_exponent, 0xffff);
  EXPECT_EQ(one({0x0f, 0x77}), -1);
  EXPECT_EQ(f().tag, 0);
}

}  // namespace
}  // namespace pollux::cpu::interpret
