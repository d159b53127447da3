// Exceptions and interrupts: error codes, frames, priorities, shadows, halts, single steps.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

// A handler at 0x3000 that stores the frame's top six words at 0x5000.. and halts.
void recording_handler(TestMachine& m) {
  // pop qword [0x5000]; pop qword [0x5008]; pop qword [0x5010]; pop qword [0x5018]; pop qword [0x5020]; hlt
  m.code({0x8f, 4, 0x25, 0, 0x50, 0, 0, 0x8f, 4, 0x25, 8, 0x50, 0, 0, 0x8f, 4, 0x25, 0x10, 0x50, 0, 0, 0x8f, 4,
      0x25, 0x18, 0x50, 0, 0, 0x8f, 4, 0x25, 0x20, 0x50, 0, 0, 0xf4}, 0x3000);
}

struct Frame {
  u64 word[5];
};
Frame frame(TestMachine& m) {
  Frame f;
  for (unsigned n = 0; n < 5; ++n) f.word[n] = m.get<u64>(0x5000 + n * 8);
  return f;
}

TEST(Exceptions, DivideErrorPointsAtTheInstructionAndRetiresNothing) {
  TestMachine m;
  m.long_mode();
  recording_handler(m);
  m.gate64(0, 0x3000);
  // xor ecx, ecx; mov eax, 5; cdq; div ecx; hlt
  m.code({0x31, 0xc9, 0xb8, 5, 0, 0, 0, 0x99, 0xf7, 0xf1, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(m).word[0], 0x1008u);
  EXPECT_EQ(frame(m).word[1], 8u);
  EXPECT_EQ(frame(m).word[2] & x86::kRf, x86::kRf);
  EXPECT_EQ(frame(m).word[3], 0x9000u);
  EXPECT_EQ(m.cpu->position().value, 3u + 6);
}

TEST(Exceptions, AnUndefinedOpcodeIsInvalid) {
  for (const std::vector<u8>& code : {std::vector<u8>{0x0f, 0x0b}, {0xf0, 0x90}, {0xf0, 0x01, 0xc0}, {0x0f, 0xc7, 0xf0},
                                      {0xc5, 0xf8, 0x77}, {0x06}, {0x0f, 0x01, 0xc8}}) {
    TestMachine m;
    m.long_mode();
    recording_handler(m);
    m.gate64(6, 0x3000);
    m.code(code);
    EXPECT_EQ(m.run(1000), StopReason::kHalted);
    EXPECT_EQ(frame(m).word[0], 0x1000u);
  }
}

TEST(Exceptions, SixteenBytesAreTooMany) {
  TestMachine m;
  m.long_mode();
  recording_handler(m);
  m.gate64(13, 0x3000);
  m.code({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(m).word[0], 0u);       // error code
  EXPECT_EQ(frame(m).word[1], 0x1000u);  // rip
}

TEST(Exceptions, ANonCanonicalAddressIsGeneralProtectionAndOnTheStackStackFault) {
  for (const bool stack : {false, true}) {
    TestMachine m;
    m.long_mode();
    recording_handler(m);
    m.gate64(stack ? 12 : 13, 0x3000, 0x8e, 1);
    m.tss(0x9000);
    m.put<u64>(0x7024, 0xa000);
    m.state().gpr[x86::kRbp] = u64{1} << 47;
    m.state().gpr[x86::kRbx] = u64{1} << 47;
    if (stack) {
      // mov rax, [rbp]
      m.code({0x48, 0x8b, 0x45, 0});
    } else {
      // mov rax, [rbx]
      m.code({0x48, 0x8b, 3});
    }
    EXPECT_EQ(m.run(1000), StopReason::kHalted);
    EXPECT_EQ(frame(m).word[0], 0u);
    EXPECT_EQ(frame(m).word[1], 0x1000u);
    EXPECT_EQ(frame(m).word[4], 0x9000u);
  }
}

TEST(Exceptions, AMissingGateIsADoubleFaultAndAMissingDoubleFaultGateShutsDown) {
  TestMachine m;
  m.long_mode();
  recording_handler(m);
  m.gate64(8, 0x3000);
  m.code({0x0f, 0x0b});
  m.put<u64>(0x6000 + 6 * 16, 0);
  EXPECT_EQ(m.run(1000), StopReason::kHalted) << "the missing gate is #NP, whose own gate is missing";
  EXPECT_EQ(frame(m).word[0], 0u);

  TestMachine n;
  n.long_mode();
  n.gate64(3, 0x3000);
  n.code({0x0f, 0x0b});
  EXPECT_EQ(n.run(1000), StopReason::kShutdown);
}

TEST(Exceptions, AFaultThatFaultsForEverShutsDown) {
  TestMachine m;
  m.protected_mode();
  m.gate32(6, 0x3000);
  m.code({0x0f, 0x0b}, 0x3000);
  EXPECT_EQ(m.run(1000), StopReason::kShutdown);
}

TEST(Exceptions, SoftwareInterruptsNeedTheGatesPrivilegeAndRetire) {
  TestMachine m;
  m.long_mode(3);
  m.tss(0xa000);
  recording_handler(m);
  m.gate64(0x80, 0x3000, 0xee);
  m.code({0xcd, 0x80});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(m).word[0], 0x1002u);
  EXPECT_EQ(frame(m).word[1], 0x23u);
  EXPECT_EQ(frame(m).word[3], 0x9000u);
  EXPECT_EQ(frame(m).word[4], 0x1bu);
  EXPECT_EQ(m.cpu->position().value, 1u + 6);

  TestMachine n;
  n.long_mode(3);
  n.tss(0xa000);
  recording_handler(n);
  n.gate64(0x80, 0x3000, 0x8e);
  n.gate64(13, 0x3000);
  n.code({0xcd, 0x80});
  EXPECT_EQ(n.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(n).word[0], 0x80u * 8 + 2);
  EXPECT_EQ(frame(n).word[1], 0x1000u);
}

TEST(Interrupts, AreTakenAtTheNextBoundaryAndCostNoPosition) {
  TestMachine m;
  m.long_mode();
  recording_handler(m);
  m.gate64(0x40, 0x3000);
  // sti; nop; out 0x81, al; inc eax; inc eax; hlt
  m.code({0xfb, 0x90, 0xe6, 0x81, 0xff, 0xc0, 0xff, 0xc0, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(m).word[0], 0x1004u);
  EXPECT_EQ(m.cpu->position().value, 3u + 6);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0u);
}

TEST(Interrupts, WaitForTheInstructionAfterSti) {
  TestMachine m;
  m.long_mode();
  recording_handler(m);
  m.gate64(0x40, 0x3000);
  // out 0x81, al; sti; inc eax; inc eax; hlt
  m.code({0xe6, 0x81, 0xfb, 0xff, 0xc0, 0xff, 0xc0, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 1u);
}

TEST(Interrupts, StiAndHltSleepUntilTheLineRises) {
  TestMachine m;
  m.long_mode();
  // mov ebx, 1; iretq
  m.code({0xbb, 1, 0, 0, 0, 0x48, 0xcf}, 0x3000);
  m.gate64(0x40, 0x3000);
  // sti; hlt; mov ecx, 2; cli; hlt
  m.code({0xfb, 0xf4, 0xb9, 2, 0, 0, 0, 0xfa, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.cpu->position().value, 2u);
  EXPECT_EQ(m.run(1000), StopReason::kHalted) << "nothing woke it";
  EXPECT_EQ(m.cpu->position().value, 2u);
  m.cpu->set_interrupt_line(true);
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 1u);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 2u);
  m.cpu->set_interrupt_line(true);
  EXPECT_EQ(m.run(1000), StopReason::kHalted) << "interrupts are off";
}

TEST(Interrupts, AnNmiIsTakenOnceAndBlocksItselfUntilIret) {
  TestMachine m;
  m.long_mode();
  // inc ebx; nop; iretq
  m.code({0xff, 0xc3, 0x90, 0x48, 0xcf}, 0x3000);
  m.gate64(2, 0x3000);
  // nop; nop; nop; nop; cli; hlt
  m.code({0x90, 0x90, 0x90, 0x90, 0xfa, 0xf4});
  EXPECT_EQ(m.run(1), StopReason::kPosition);
  m.cpu->raise_nmi();
  EXPECT_EQ(m.run(2), StopReason::kPosition);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 1u);
  m.cpu->raise_nmi();
  EXPECT_EQ(m.run(3), StopReason::kPosition);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 1u) << "still inside the first";
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 2u);
}

TEST(Interrupts, AStopRequestEndsTheRunAfterItsInstruction) {
  TestMachine m;
  m.long_mode();
  // nop; out 0x82, al; inc ebx; hlt
  m.code({0x90, 0xe6, 0x82, 0xff, 0xc3, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kRequested);
  EXPECT_EQ(m.cpu->position().value, 2u);
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 1u);
}

TEST(Interrupts, AStopRequestedByADeliveryIsToldApart) {
  for (const u64 cut : {1, 2}) {
    TestMachine m;
    m.long_mode();
    m.code({0xf4}, 0x3000);
    m.gate64(6, 0x3000);
    m.state().gpr[x86::kRsp] = 0x3000'0800;
    m.bus.stop_on_write = true;
    m.code({0x90, 0x90, 0x0f, 0x0b});  // nop; nop; ud2
    EXPECT_EQ(m.run(cut), StopReason::kPosition);
    EXPECT_EQ(m.run(1000), StopReason::kDelivering);
    EXPECT_EQ(m.cpu->position().value, 2u);
    EXPECT_EQ(m.state().rip, 0x3000u);
    EXPECT_EQ(m.run(1000), StopReason::kHalted);
    EXPECT_EQ(m.cpu->position().value, 3u);
  }
}

TEST(Interrupts, AStopRequestedBesideASingleStepTrapIsAtItsInstruction) {
  TestMachine m;
  m.long_mode();
  m.code({0xf4}, 0x3000);
  m.gate64(1, 0x3000);
  m.state().rflags |= x86::kTf;
  m.code({0xe6, 0x82});  // out 0x82, al
  EXPECT_EQ(m.run(1000), StopReason::kRequested);
  EXPECT_EQ(m.cpu->position().value, 1u);
  EXPECT_EQ(m.state().rip, 0x3000u);
}

TEST(Interrupts, DeviceMemorySeesTheExactPosition) {
  TestMachine m;
  m.long_mode();
  m.state().gpr[x86::kRbx] = 0x3000'0000;
  // nop; nop; mov [rbx], eax; mov ecx, [rbx]; nop; hlt
  m.code({0x90, 0x90, 0x89, 3, 0x8b, 0xb, 0x90, 0xf4});
  m.bus.stop_on_write = true;
  EXPECT_EQ(m.run(1000), StopReason::kRequested);
  ASSERT_EQ(m.bus.writes.size(), 1u);
  EXPECT_EQ(m.bus.writes[0].position, 2u);
  EXPECT_EQ(m.cpu->position().value, 3u);
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.bus.reads[0].position, 3u);
}

TEST(SingleStep, TrapsAfterEachInstruction) {
  TestMachine m;
  m.long_mode();
  // The handler counts and returns with TF still set in the frame.
  // inc ebx; iretq
  m.code({0xff, 0xc3, 0x48, 0xcf}, 0x3000);
  m.gate64(1, 0x3000);
  // pushfq; or dword [rsp], 0x100; popfq; inc ecx; inc ecx; nop; pushfq; and dword [rsp], 0xfffffeff; popfq; inc
  // ecx; hlt
  m.code({0x9c, 0x81, 0xc, 0x24, 0, 1, 0, 0, 0x9d, 0xff, 0xc1, 0xff, 0xc1, 0x90, 0x9c, 0x81, 0x24, 0x24, 0xff, 0xfe,
      0xff, 0xff, 0x9d, 0xff, 0xc1, 0xf4});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 6u) << "from inc ecx to popfq, which clears TF but began with it";
  EXPECT_EQ(m.state().gpr[x86::kRcx], 3u);
  EXPECT_EQ(m.state().dr[6] & 0x4000, 0x4000u);
}

TEST(Exceptions, AlignmentIsCheckedInUserModeWhenAskedFor) {
  TestMachine m;
  m.long_mode(3);
  m.tss(0xa000);
  recording_handler(m);
  m.gate64(17, 0x3000);
  m.state().cr0 |= x86::kCr0Am;
  m.state().rflags |= x86::kAc;
  m.state().gpr[x86::kRbx] = 0x5001;
  // mov al, [rbx]; mov eax, [rbx]
  m.code({0x8a, 3, 0x8b, 3});
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(frame(m).word[0], 0u);
  EXPECT_EQ(frame(m).word[1], 0x1002u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
