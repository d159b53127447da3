// The modes of the processor and the ways between them.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

// Puts the processor at 0:1000 in real mode.
void real_mode(TestMachine& m, const std::vector<u8>& code) {
  x86::State& s = m.state();
  s.segment[x86::kCs] = {.selector = 0, .attributes = 0x9b, .limit = 0xffff, .base = 0};
  s.gpr[x86::kRsp] = 0x9000;
  m.code(code);
}

TEST(RealMode, StartsAtTheResetVectorWhereOnlyOnesAreFetched) {
  TestMachine m;
  EXPECT_EQ(m.state().rip, 0xfff0u);
  EXPECT_EQ(m.state().segment[x86::kCs].base, 0xffff0000u);
  m.bus.mmio[0xfffffff0] = 0xf4;  // no code, whatever a device would answer
  m.put<u32>(6 * 4, 0x0000'1000);
  m.bytes(0x1000, {0xf4});
  m.state().gpr[x86::kRsp] = 0x9000;
  EXPECT_EQ(m.run(10), StopReason::kHalted);
  EXPECT_EQ(m.state().rip, 0x1001u);
  EXPECT_TRUE(m.bus.reads.empty());
}

TEST(RealMode, SegmentsAreSixteenBytesApartAndInterruptsUseTheVectorTable) {
  TestMachine m;
  m.put<u32>(0x21 * 4, 0x0300'0000);  // 0300:0000
  // mov dx, [cs:6]; iret; dw 0x1234
  m.bytes(0x3000, {0x2e, 0x8b, 0x16, 6, 0, 0xcf, 0x34, 0x12});
  // mov ax, 0x200; mov ds, ax; mov word [0x10], 77; mov bx, [ds:0x10]; int 0x21; pushf; pop cx; hlt
  real_mode(m, {0xb8, 0, 2, 0x8e, 0xd8, 0xc7, 6, 0x10, 0, 0x4d, 0, 0x3e, 0x8b, 0x1e, 0x10, 0, 0xcd, 0x21, 0x9c,
      0x59, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.get<u16>(0x2010), 77u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRbx]), 77u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRdx]), 0x1234u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRsp]), 0x9000u);
}

TEST(RealMode, GoesToProtectedModeAndToLongMode) {
  TestMachine m;
  m.long_mode();  // for its tables and descriptors; then back to the reset state
  const x86::TableRegister gdtr = m.state().gdtr;
  m.state().reset();
  m.put<u16>(0x7f00, gdtr.limit);
  m.put<u32>(0x7f02, u32(gdtr.base));
  // mov ax, 0x10; mov ds, ax; mov ss, ax; mov esp, 0x9000; mov eax, 0x20; mov cr4, eax; mov eax, 0x10000; mov cr3,
  // eax; mov ecx, 0xc0000080; mov eax, 0x100; xor edx, edx; wrmsr; mov eax, cr0; or eax, 0x80000000; mov cr0, eax;
  // rdmsr; jmp 8:0x2800
  m.bytes(0x2000, {0x66, 0xb8, 0x10, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0, 0x90, 0, 0, 0xb8, 0x20, 0, 0, 0, 0xf, 0x22,
      0xe0, 0xb8, 0, 0, 1, 0, 0xf, 0x22, 0xd8, 0xb9, 0x80, 0, 0, 0xc0, 0xb8, 0, 1, 0, 0, 0x31, 0xd2, 0xf, 0x30, 0xf,
      0x20, 0xc0, 0xd, 0, 0, 0, 0x80, 0xf, 0x22, 0xc0, 0xf, 0x32, 0xea, 0, 0x28, 0, 0, 8, 0});
  // mov rbx, 0x123456789abcdef0; push rbx; hlt
  m.bytes(0x2800, {0x48, 0xbb, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0x53, 0xf4});
  // cli; lgdt [0x7f00]; mov eax, cr0; or al, 1; mov cr0, eax; jmp 0x38:0x2000
  real_mode(m, {0xfa, 0xf, 1, 0x16, 0, 0x7f, 0xf, 0x20, 0xc0, 0xc, 1, 0xf, 0x22, 0xc0, 0xea, 0, 0x20, 0x38, 0});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 0x123456789abcdef0u);
  EXPECT_EQ(u32(m.state().gpr[x86::kRax]), 0x500u) << "LME and LMA";
  EXPECT_EQ(m.state().gpr[x86::kRsp], 0x8ff8u);
}

TEST(ProtectedMode, ChecksLimitsAndTypes) {
  const auto fault_of = [](const std::vector<u8>& code) {
    TestMachine m;
    m.protected_mode();
    m.put<u64>(0x8048, 0x00409300000000ff);  // data, limit 0xff bytes
    m.put<u64>(0x8050, 0x0040910000000fff);  // read-only data
    m.state().gdtr.limit = 0x57;
    // pop esi; mov edi, 13; hlt
    m.code({0x5e, 0xbf, 0xd, 0, 0, 0, 0xf4}, 0x3000);
    // pop esi; mov edi, 11; hlt
    m.code({0x5e, 0xbf, 0xb, 0, 0, 0, 0xf4}, 0x3100);
    m.gate32(13, 0x3000);
    m.gate32(11, 0x3100);
    m.code(code);
    EXPECT_EQ(m.run(100), StopReason::kHalted);
    return std::pair(m.state().gpr[x86::kRdi], m.state().gpr[x86::kRsi]);
  };
  using Pair = std::pair<u64, u64>;
  // mov ax, 0x48; mov ds, ax; mov al, [0xff]; mov eax, [0xfd]; hlt
  EXPECT_EQ(fault_of({0x66, 0xb8, 0x48, 0, 0x8e, 0xd8, 0xa0, 0xff, 0, 0, 0, 0xa1, 0xfd, 0, 0, 0, 0xf4}), Pair(13, 0));
  // mov ax, 0x50; mov ds, ax; mov al, [0]; mov [0], al; hlt
  EXPECT_EQ(fault_of({0x66, 0xb8, 0x50, 0, 0x8e, 0xd8, 0xa0, 0, 0, 0, 0, 0xa2, 0, 0, 0, 0, 0xf4}), Pair(13, 0));
  // mov ax, 0x50; mov ss, ax; hlt
  EXPECT_EQ(fault_of({0x66, 0xb8, 0x50, 0, 0x8e, 0xd0, 0xf4}), Pair(13, 0x50));
  // mov ax, 0x1234; mov es, ax; hlt
  EXPECT_EQ(fault_of({0x66, 0xb8, 0x34, 0x12, 0x8e, 0xc0, 0xf4}), Pair(13, 0x1234));
  // xor eax, eax; mov fs, ax; mov al, [fs:0]; hlt
  EXPECT_EQ(fault_of({0x31, 0xc0, 0x8e, 0xe0, 0x64, 0xa0, 0, 0, 0, 0, 0xf4}), Pair(13, 0));
  // mov al, [cs:0x1000]; mov [cs:0x1000], al; hlt
  EXPECT_EQ(fault_of({0x2e, 0xa0, 0, 0x10, 0, 0, 0x2e, 0xa2, 0, 0x10, 0, 0, 0xf4}), Pair(13, 0));
}

TEST(ProtectedMode, ACallGateChangesLevelAndStackAndComesBack) {
  TestMachine m;
  m.protected_mode();
  m.put<u64>(0x8048, 0x0000'ec01'0038'3000);  // call gate, level 3, one parameter, to 38:3000
  m.state().gdtr.limit = 0x4f;
  m.put<u32>(0x7004, 0xa000);
  m.put<u16>(0x7008, 0x10);
  m.state().segment[x86::kTr] = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = 0x7000};
  // mov ebx, [esp + 8]; mov ax, cs; mov edx, esp; retf 4
  m.bytes(0x3000, {0x8b, 0x5c, 0x24, 8, 0x66, 0x8c, 0xc8, 0x89, 0xe2, 0xca, 4, 0});
  // mov ecx, 5; push dword 0x77; call 0x48:0; mov ecx, 6; mov si, cs; ud2
  m.bytes(0x2000, {0xb9, 5, 0, 0, 0, 0x6a, 0x77, 0x9a, 0, 0, 0, 0, 0x48, 0, 0xb9, 6, 0, 0, 0, 0x66, 0x8c, 0xce, 0xf,
      0xb});
  m.gate32(6, 0x3800);
  m.bytes(0x3800, {0xf4});
  // push dword 0x1b; push dword 0xc000; push dword 2; push dword 0x43; push dword 0x2000; iret
  m.code({0x6a, 0x1b, 0x68, 0, 0xc0, 0, 0, 0x6a, 2, 0x6a, 0x43, 0x68, 0, 0x20, 0, 0, 0xcf});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 0x77u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRax]), 0x38u) << "level 0";
  EXPECT_EQ(m.state().gpr[x86::kRdx], 0xa000u - 20) << "ss esp parameter cs eip";
  EXPECT_EQ(m.state().gpr[x86::kRcx], 6u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRsi]), 0x43u);
}

TEST(ProtectedMode, ATaskSwitchSavesAndLoadsEverything) {
  TestMachine m;
  m.protected_mode();
  m.put<u64>(0x8048, 0x0000'8900'7800'0067);  // second task-state segment at 0x7800
  m.state().gdtr.limit = 0x4f;
  m.state().segment[x86::kTr] = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = 0x7000};
  m.put<u64>(0x8028, 0x0000'8b00'7000'0067);
  m.put<u32>(0x7820, 0x3000);   // eip
  m.put<u32>(0x7824, 2);        // eflags
  m.put<u32>(0x7834, 0x1234);   // ebx
  m.put<u32>(0x7838, 0xb000);   // esp
  for (const u64 at : {0x7848, 0x7850, 0x7854, 0x7858, 0x785c}) m.put<u32>(at, 0x10);
  m.put<u32>(0x784c, 0x38);
  // mov [0x5000], ebx; str ax; mov [0x5004], ax; pushf; pop dword [0x5008]; iret
  m.bytes(0x3000, {0x89, 0x1d, 0, 0x50, 0, 0, 0x66, 0xf, 0, 0xc8, 0x66, 0xa3, 4, 0x50, 0, 0, 0x9c, 0x8f, 5, 8, 0x50,
      0, 0, 0xcf});
  // mov ebx, 55; call 0x48:0; mov ecx, ebx; str dx; hlt
  m.code({0xbb, 0x37, 0, 0, 0, 0x9a, 0, 0, 0, 0, 0x48, 0, 0x89, 0xd9, 0x66, 0xf, 0, 0xca, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.get<u32>(0x5000), 0x1234u);
  EXPECT_EQ(m.get<u16>(0x5004), 0x48u);
  EXPECT_TRUE(m.get<u32>(0x5008) & x86::kNt);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 55u);
  EXPECT_EQ(u16(m.state().gpr[x86::kRdx]), 0x28u);
  EXPECT_TRUE(m.state().cr0 & x86::kCr0Ts);
}

TEST(ProtectedMode, Virtual8086TasksFaultIntoTheMonitor) {
  TestMachine m;
  m.protected_mode();
  m.put<u32>(0x7004, 0xa000);
  m.put<u16>(0x7008, 0x10);
  m.state().segment[x86::kTr] = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = 0x7000};
  // mov ebx, esp; mov esi, [esp + 12]; hlt
  m.bytes(0x3000, {0x89, 0xe3, 0x8b, 0x74, 0x24, 0xc, 0xf4});
  m.gate32(13, 0x3000);
  // mov ax, 0x300; mov ds, ax; cli
  m.bytes(0x2000, {0xb8, 0, 3, 0x8e, 0xd8, 0xfa});
  // gs fs ds es ss esp eflags cs eip, into 200:0
  // push dword 0; push dword 0; push dword 0x111; push dword 0; push dword 0x500; push dword 0xf0; push dword
  // 0x20002; push dword 0x200; push dword 0; iret
  m.code({0x6a, 0, 0x6a, 0, 0x68, 0x11, 1, 0, 0, 0x6a, 0, 0x68, 0, 5, 0, 0, 0x68, 0xf0, 0, 0, 0, 0x68, 2, 0, 2, 0,
      0x68, 0, 2, 0, 0, 0x6a, 0, 0xcf});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 0xa000u - 40) << "nine words and the error code";
  EXPECT_TRUE(m.state().gpr[x86::kRsi] & x86::kVm);
  EXPECT_EQ(m.get<u32>(0xa000 - 12), 0x300u) << "ds";
  EXPECT_FALSE(m.state().rflags & x86::kVm);
}

TEST(LongMode, SyscallAndSysretChangeLevel) {
  TestMachine m;
  m.long_mode(3);
  m.tss(0xa000);
  x86::State& s = m.state();
  s.star = u64{0x08} << 32 | u64{0x13} << 48;
  s.lstar = 0x3000;
  s.sfmask = x86::kCf;
  // mov bx, cs; mov r9, r11; pushfq; pop r10; o64 sysret
  m.bytes(0x3000, {0x66, 0x8c, 0xcb, 0x4d, 0x89, 0xd9, 0x9c, 0x41, 0x5a, 0x48, 0xf, 7});
  m.gate64(6, 0x3800);
  m.bytes(0x3800, {0xf4});
  // stc; syscall; mov dx, cs; mov si, ss; ud2
  m.code({0xf9, 0xf, 5, 0x66, 0x8c, 0xca, 0x66, 0x8c, 0xd6, 0xf, 0xb});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(u16(s.gpr[x86::kRbx]), 8u);
  EXPECT_TRUE(s.gpr[x86::kR9] & x86::kCf);
  EXPECT_FALSE(s.gpr[x86::kR10] & x86::kCf);
  EXPECT_EQ(u16(s.gpr[x86::kRdx]), 0x23u);
  EXPECT_EQ(u16(s.gpr[x86::kRsi]), 0x1bu);
}

TEST(LongMode, CompatibilityCodeRunsWithThirtyTwoBits) {
  TestMachine m;
  m.long_mode();
  m.tss(0xa000);
  // mov eax, 0xffffffff; inc eax; push ecx; mov ebx, esp; ud2
  m.bytes(0x2000, {0xb8, 0xff, 0xff, 0xff, 0xff, 0x40, 0x51, 0x89, 0xe3, 0xf, 0xb});
  m.gate64(6, 0x3000);
  // mov rsi, [rsp + 8]; hlt
  m.bytes(0x3000, {0x48, 0x8b, 0x74, 0x24, 8, 0xf4});
  // mov rax, -1; push 0x1b; push 0xc000; push 2; push 0x43; push 0x2000; iretq
  m.code({0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x6a, 0x1b, 0x68, 0, 0xc0, 0, 0, 0x6a, 2, 0x6a, 0x43, 0x68, 0,
      0x20, 0, 0, 0x48, 0xcf});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0u);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 0xbffcu);
  EXPECT_EQ(m.state().gpr[x86::kRsi], 0x43u);
}

TEST(LongMode, AReturnToAnOuterLevelClearsNullSelectorsAndKeepsTheBases) {
  TestMachine m;
  m.long_mode();
  m.tss(0xa000);
  m.gate64(6, 0x3000);
  m.bytes(0x3000, {0xf4});
  m.bytes(0x2000, {0xf, 0xb});
  x86::State& s = m.state();
  // mov eax, 3; mov ds, eax; mov eax, 2; mov es, eax; dec eax; mov fs, eax; mov gs, eax; nop
  m.code({0xb8, 3, 0, 0, 0, 0x8e, 0xd8, 0xb8, 2, 0, 0, 0, 0x8e, 0xc0, 0xff, 0xc8, 0x8e, 0xe0, 0x8e, 0xe8, 0x90,
      // push 0x1b; push 0xc000; push 2; push 0x23; push 0x2000; iretq
      0x6a, 0x1b, 0x68, 0, 0xc0, 0, 0, 0x6a, 2, 0x6a, 0x23, 0x68, 0, 0x20, 0, 0, 0x48, 0xcf});
  m.run(8);
  EXPECT_EQ(s.segment[x86::kDs].selector, 3u);
  EXPECT_EQ(s.segment[x86::kEs].selector, 2u);
  EXPECT_EQ(s.segment[x86::kFs].selector, 1u);
  EXPECT_EQ(s.segment[x86::kGs].selector, 1u);
  s.segment[x86::kGs].base = 0x123456789;
  m.cpu->state_changed();
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  for (const x86::SegmentName n : {x86::kDs, x86::kEs, x86::kFs, x86::kGs}) EXPECT_EQ(s.segment[n].selector, 0u) << n;
  EXPECT_EQ(s.segment[x86::kGs].base, 0x123456789u);
}

TEST(LongMode, InterruptsUseTheirStackTable) {
  TestMachine m;
  m.long_mode();
  m.tss(0xa000);
  m.put<u64>(0x7024 + 8, 0xb008);  // IST 2, aligned down
  m.gate64(3, 0x3000, 0x8e, 2);
  // mov rbx, rsp; mov rcx, [rsp + 24]; hlt
  m.bytes(0x3000, {0x48, 0x89, 0xe3, 0x48, 0x8b, 0x4c, 0x24, 0x18, 0xf4});
  m.code({0xcc});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 0xb000u - 40);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 0x9000u);
}

TEST(Registers, UnknownModelSpecificRegistersFault) {
  for (const u32 index : {0x1234u, 0x4b564d00u, 0xc1u, 0x186u}) {
    TestMachine m;
    m.long_mode();
    m.gate64(13, 0x3000);
    m.bytes(0x3000, {0xf4});
    m.state().gpr[x86::kRcx] = index;
    m.code({0x0f, 0x32});
    EXPECT_EQ(m.run(10), StopReason::kHalted);
    EXPECT_EQ(m.state().rip, 0x3001u);
  }
}

TEST(Registers, TaskPriorityGoesToTheBusAndTheCounterIsThePosition) {
  TestMachine m;
  m.long_mode();
  // mov eax, 5; mov cr8, rax; mov rbx, cr8; rdtsc; mov esi, eax; rdtsc; hlt
  m.code({0xb8, 5, 0, 0, 0, 0x44, 0xf, 0x22, 0xc0, 0x44, 0xf, 0x20, 0xc3, 0xf, 0x31, 0x89, 0xc6, 0xf, 0x31, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.bus.priority, 5u);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 5u);
  EXPECT_EQ(m.state().gpr[x86::kRsi], 3u);
  EXPECT_EQ(m.state().gpr[x86::kRax], 5u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
