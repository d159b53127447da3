// The processor is a function of its state: however runs are sliced, and however code and tables are cached.
#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

// String instructions with overlaps, faults, interrupts by the guest's own request, self-modification, page-table
// changes and device accesses, in a loop.
void load_mixture(TestMachine& m) {
  m.long_mode();
  m.tss(0xa000);
  m.put<u64>(0x11008, 0x13007);
  m.put<u64>(0x13000, 0x14007);
  for (u64 n = 0; n < 8; ++n) m.put<u64>(0x14000 + n * 8, (0x20000 + n * 0x1000) | 3);
  // Interrupts and invalid opcodes count; an invalid opcode is stepped over; a page fault maps the page.
  // inc r12; iretq
  m.code({0x49, 0xff, 0xc4, 0x48, 0xcf}, 0x3000);
  // inc r13; add qword [rsp], 2; iretq
  m.code({0x49, 0xff, 0xc5, 0x48, 0x83, 4, 0x24, 2, 0x48, 0xcf}, 0x3100);
  // inc r14; push rax; mov rax, cr2; shr rax, 9; and eax, 0xff8; or byte [rax + 0x14000], 1; pop rax; add rsp, 8;
  // iretq
  m.code({0x49, 0xff, 0xc6, 0x50, 0xf, 0x20, 0xd0, 0x48, 0xc1, 0xe8, 9, 0x25, 0xf8, 0xf, 0, 0, 0x80, 0x88, 0, 0x40,
      1, 0, 1, 0x58, 0x48, 0x83, 0xc4, 8, 0x48, 0xcf}, 0x3200);
  m.gate64(0x40, 0x3000);
  m.gate64(6, 0x3100);
  m.gate64(14, 0x3200);
  // mov r15d, 200; sti; next:; mov rdi, 0x40000ff0; lea rsi, [rdi - 5]; mov ecx, 100; rep movsb; mov rdi,
  // 0x40002000; mov rax, r15; mov ecx, 700; rep stosq; mov rsi, 0x40002000; mov rdi, 0x40002008; mov ecx, 300; repe
  // cmpsq; mov rdi, 0x40000000; mov al, 0x55; mov ecx, 4000; repne scasb; ud2; out 0x81, al; inc byte [patch + 1];
  // patch: mov bl, 0; add r11b, bl; and byte [0x14010], 0xfe; mov eax, [0x40002004]; mov [0x30000000], eax; mov edx,
  // [0x30000000]; rdtsc; add r10, rax; adc r9, rdx; in eax, 0x60; dec r15d; jnz next; cli; hlt
  m.code({0x41, 0xbf, 0xc8, 0, 0, 0, 0xfb, 0xbf, 0xf0, 0xf, 0, 0x40, 0x48, 0x8d, 0x77, 0xfb, 0xb9, 0x64, 0, 0, 0,
      0xf3, 0xa4, 0xbf, 0, 0x20, 0, 0x40, 0x4c, 0x89, 0xf8, 0xb9, 0xbc, 2, 0, 0, 0xf3, 0x48, 0xab, 0xbe, 0, 0x20, 0,
      0x40, 0xbf, 8, 0x20, 0, 0x40, 0xb9, 0x2c, 1, 0, 0, 0xf3, 0x48, 0xa7, 0xbf, 0, 0, 0, 0x40, 0xb0, 0x55, 0xb9,
      0xa0, 0xf, 0, 0, 0xf2, 0xae, 0xf, 0xb, 0xe6, 0x81, 0xfe, 4, 0x25, 0x53, 0x10, 0, 0, 0xb3, 0, 0x41, 0, 0xdb,
      0x80, 0x24, 0x25, 0x10, 0x40, 1, 0, 0xfe, 0x8b, 4, 0x25, 4, 0x20, 0, 0x40, 0x89, 4, 0x25, 0, 0, 0, 0x30, 0x8b,
      0x14, 0x25, 0, 0, 0, 0x30, 0xf, 0x31, 0x49, 1, 0xc2, 0x49, 0x11, 0xd1, 0xe5, 0x60, 0x41, 0xff, 0xcf, 0x75,
      0x84, 0xfa, 0xf4});
}

u64 whole_run(TestMachine& m) {
  while (m.run(1 << 24) != StopReason::kHalted) {
  }
  return m.digest();
}

TEST(Repeatable, SlicesOfAnyLengthGiveTheSameMachine) {
  TestMachine whole;
  load_mixture(whole);
  const u64 expected = whole_run(whole);
  EXPECT_EQ(whole.state().gpr[x86::kR12], 200u);
  EXPECT_EQ(whole.state().gpr[x86::kR13], 200u);
  EXPECT_EQ(whole.state().gpr[x86::kR14], 200u);
  const u64 end = whole.cpu->position().value;
  for (const u64 longest : {1, 3, 50, 3000}) {
    TestMachine m;
    load_mixture(m);
    Random random(longest);
    while (m.run(m.cpu->position().value + 1 + random.below(longest)) != StopReason::kHalted) {
    }
    EXPECT_EQ(m.digest(), expected) << "slices up to " << longest;
    EXPECT_EQ(m.cpu->position().value, end);
    EXPECT_EQ(m.bus.writes.size(), whole.bus.writes.size());
    for (std::size_t n = 0; n < m.bus.writes.size(); ++n) {
      ASSERT_EQ(m.bus.writes[n].position, whole.bus.writes[n].position);
    }
  }
}

TEST(Repeatable, EveryPositionHasOneDigest) {
  TestMachine steps, jumps;
  load_mixture(steps);
  load_mixture(jumps);
  Random random(7);
  u64 next = 0;
  for (u64 p = 1; p < 6000; ++p) {
    steps.run(p);
    if (p >= next) {
      jumps.run(p);
      ASSERT_EQ(steps.digest(), jumps.digest()) << "position " << p;
      next = p + 1 + random.below(97);
    }
  }
}

TEST(Repeatable, ASavedAndRestoredProcessorGoesOnTheSame) {
  TestMachine m;
  load_mixture(m);
  m.run(3333);
  SaveVisitor save;
  m.cpu->visit(save);
  m.memory.visit(save);
  const Bytes bytes = save.take();
  const u64 expected = whole_run(m);

  TestMachine other;
  LoadVisitor load(bytes);
  other.cpu->visit(load);
  other.memory.visit(load);
  EXPECT_TRUE(load.ok());
  other.bus.mmio = {{0x30000000, 0}};
  EXPECT_EQ(other.cpu->position().value, 3333u);
  EXPECT_EQ(whole_run(other), expected);
}

TEST(Repeatable, ARepeatedStoreIsCheckedForAlignmentWhateverTheTlbKnows) {
  for (const u8 opcode : {0xab, 0xa5}) {
    TestMachine m;
    m.long_mode(3);
    m.tss(0x9000);
    m.gate64(17, 0x3000);
    m.code({0xf4}, 0x3000);
    m.state().cr0 |= x86::kCr0Am;
    m.state().rflags |= x86::kAc;
    m.state().gpr[x86::kRsi] = m.state().gpr[x86::kRdi] = 0x20001;
    m.state().gpr[x86::kRcx] = 4;
    m.code({0x88, 0x07, 0x8a, 0x07, 0xf3, 0x48, opcode});  // mov [rdi], al; mov al, [rdi]; rep stosq or movsq
    EXPECT_EQ(m.run(10), StopReason::kHalted);
    EXPECT_EQ(m.state().rip, 0x3001u);
    EXPECT_EQ(m.state().gpr[x86::kRcx], 4u);
  }
}

// Its handler of invalid opcodes halts.
void halt_on_invalid_opcodes(TestMachine& m) {
  m.long_mode();
  m.tss(0xa000);
  m.gate64(6, 0x3000);
  m.bytes(0x3000, {0xf4});
}

TEST(CodeOutsideRam, IsOnesAndNoDeviceHearsOfIt) {
  TestMachine m;
  halt_on_invalid_opcodes(m);
  m.bus.mmio = {{0x30000000, 0x90}};
  m.code({0xb8, 0, 0, 0, 0x30, 0xff, 0xe0});  // mov eax, 0x30000000; jmp rax
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.get<u64>(0x9000 - 5 * 8), 0x30000000u);  // the invalid opcode's rip
  EXPECT_TRUE(m.bus.reads.empty());
}

TEST(CodeOutsideRam, EndsAnInstructionThatBeginsInRamWithOnes) {
  TestMachine m;
  halt_on_invalid_opcodes(m);
  m.code({0xb8, 5, 0}, (4 << 20) - 3);  // mov eax, 0xffff0005, of which RAM has three bytes
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0xffff0005u);
  EXPECT_EQ(m.get<u64>(0x9000 - 5 * 8), (4u << 20) + 2);
  EXPECT_TRUE(m.bus.reads.empty());
}

TEST(SelfModification, TheNextInstructionIsTheNewOne) {
  TestMachine m;
  m.long_mode();
  // mov byte [next + 1], 7; next: mov al, 1; hlt
  m.code({0xc6, 4, 0x25, 9, 0x10, 0, 0, 7, 0xb0, 1, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax] & 0xff, 7u);
}

TEST(SelfModification, ThroughAnotherAddressAndByTheDevices) {
  TestMachine m;
  m.long_mode();
  m.put<u64>(0x11008, 0x13007);
  m.put<u64>(0x13000, 0x83);  // linear 1 GiB is physical 0 again
  // mov rbx, 0x40000000 + next + 1; mov ecx, 3; again: mov [rbx], cl; next: add al, 0; dec ecx; jnz again; hlt
  m.code({0x48, 0xbb, 0x12, 0x10, 0, 0x40, 0, 0, 0, 0, 0xb9, 3, 0, 0, 0, 0x88, 0xb, 4, 0, 0xff, 0xc9, 0x75, 0xf8,
      0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax] & 0xff, 6u);

  TestMachine n;
  n.long_mode();
  n.code({0xb0, 1, 0xeb, 0xfc});  // l: mov al, 1; jmp l
  n.run(50);
  n.bytes(0x1000, {0xb0, 9});
  n.run(60);
  EXPECT_EQ(n.state().gpr[x86::kRax] & 0xff, 9u);
}

TEST(SelfModification, OfARepeatedInstructionTakesEffectAtOnce) {
  for (const u64 slice : {1u, 1000u}) {
    TestMachine m;
    m.long_mode();
    // The first byte written turns "rep stosb" into "nop; stosb", so only one more follows.
    // mov edi, 0x1ffc; mov ecx, 8; db 0x90, 0x90; rep stosb; nop; nop; nop; nop; nop; nop; hlt
    m.code({0xbf, 0xfc, 0x1f, 0, 0, 0xb9, 8, 0, 0, 0, 0x90, 0x90, 0xf3, 0xaa, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
        0xf4}, 0x1ff0);
    m.state().gpr[x86::kRax] = 0x90;
    while (m.run(m.cpu->position().value + slice) == StopReason::kPosition && m.cpu->position().value < 1000) {
    }
    EXPECT_EQ(m.state().gpr[x86::kRcx], 7u);
    EXPECT_EQ(m.state().gpr[x86::kRdi], 0x1ffeu);
  }
}

}  // namespace
}  // namespace pollux::cpu::interpret
