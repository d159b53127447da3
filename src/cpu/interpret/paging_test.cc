// Paging seen by a guest: rights, error codes, accessed and dirty bits, large pages, the three paging modes, and the
// rule that there is no TLB.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u64 kSpare = 0x16000;
constexpr u64 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kNx = u64{1} << 63;

// Long mode with one 4 KiB page at linear 0x40000000 (physical 0x20000), mapped with the given last entry's bits; its
// tables at 0x13000 (directory) and 0x14000. The page-fault handler at 0x3000 keeps the error code in rsi and halts.
struct PagingMachine : TestMachine {
  static constexpr u64 kEntry = 0x14000, kDirectory = 0x13000, kLinear = 0x4000'0000, kPage = 0x20000;

  explicit PagingMachine(u64 bits, unsigned cpl = 0) {
    long_mode(cpl);
    tss(0xa000);
    put<u64>(0x11008, kDirectory | 7);
    put<u64>(kDirectory, kEntry | 7);
    put<u64>(kEntry, kPage | bits);
    gate64(14, 0x3000);
    gate64(13, 0x3000);
    // pop rsi; mov rdi, cr2; hlt
    code({0x5e, 0xf, 0x20, 0xd7, 0xf4}, 0x3000);
    state().gpr[x86::kRbx] = kLinear;
    state().gpr[x86::kRsi] = 0xdead;
  }
  // The error code of the page fault that the code makes, or 0xdead.
  u64 error(const std::vector<u8>& what) {
    state().halted = false;
    code(what);
    EXPECT_EQ(run(position() + 100), StopReason::kHalted);
    return state().gpr[x86::kRsi];
  }
  u64 position() { return cpu->position().value; }
  u64 entry() { return get<u64>(kEntry) & 0xfff; }
};

const std::vector<u8> kRead = {0x8b, 0x03, 0xf4};   // mov eax, [rbx]; hlt
const std::vector<u8> kWrite = {0x89, 0x03, 0xf4};  // mov [rbx], eax; hlt
const std::vector<u8> kJump = {0xff, 0xe3};         // jmp rbx

TEST(Paging, AccessedAndDirtyBitsAreSetByUse) {
  PagingMachine m(kP | kW);
  EXPECT_EQ(m.error(kRead), 0xdeadu);
  EXPECT_EQ(m.entry(), kP | kW | kA);
  EXPECT_EQ(m.error(kWrite), 0xdeadu);
  EXPECT_EQ(m.entry(), kP | kW | kA | kD);
  EXPECT_TRUE(m.get<u64>(0x10000) & kA);
  EXPECT_TRUE(m.get<u64>(0x11008) & kA);
}

TEST(Paging, ClearedAccessedAndDirtyBitsAreSetAgainWithoutInvalidation) {
  PagingMachine m(kP | kW);
  m.state().gpr[x86::kRdx] = PagingMachine::kEntry;
  // Touch, clear A and D, touch again.
  // mov [rbx], eax; and byte [rdx], 0x9f; mov [rbx], eax; hlt
  m.code({0x89, 3, 0x80, 0x22, 0x9f, 0x89, 3, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.entry(), kP | kW | kA | kD);
}

TEST(Paging, AChangedEntryIsSeenByTheNextAccess) {
  PagingMachine m(kP | kW);
  m.put<u32>(0x20000, 111);
  m.put<u32>(0x21000, 222);
  m.state().gpr[x86::kRdx] = PagingMachine::kEntry;
  // mov ecx, [rbx]; mov dword [rdx], 0x21003; mov ebp, [rbx]; mov dword [rdx], 0; mov eax, [rbx]; hlt
  m.code({0x8b, 0xb, 0xc7, 2, 3, 0x10, 2, 0, 0x8b, 0x2b, 0xc7, 2, 0, 0, 0, 0, 0x8b, 3, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 111u);
  EXPECT_EQ(m.state().gpr[x86::kRbp], 222u);
  EXPECT_EQ(m.state().gpr[x86::kRsi], 0u) << "not present, read, supervisor";
  EXPECT_EQ(m.state().cr2, PagingMachine::kLinear);
}

TEST(Paging, AChangedUpperEntryIsSeenByTheNextAccess) {
  PagingMachine m(kP | kW);
  m.put<u32>(0x20000, 111);
  m.put<u32>(0x22000, 333);
  m.put<u64>(0x15000, 0x22000 | 3);
  m.state().gpr[x86::kRdx] = PagingMachine::kDirectory;
  // mov ecx, [rbx]; mov dword [rdx], 0x15007; mov ebp, [rbx]; hlt
  m.code({0x8b, 0xb, 0xc7, 2, 7, 0x50, 1, 0, 0x8b, 0x2b, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 111u);
  EXPECT_EQ(m.state().gpr[x86::kRbp], 333u);
}

// Entry 100 of the table maps the table itself, and is overwritten by the 101st iteration.
TEST(Paging, ARepeatedStoreOverItsOwnTableFaultsInTheMiddle) {
  PagingMachine m(kP | kW);
  m.put<u64>(PagingMachine::kEntry + 100 * 8, PagingMachine::kEntry | kP | kW);
  m.state().gpr[x86::kRdi] = PagingMachine::kLinear + (100 << 12);
  m.state().gpr[x86::kRcx] = 512;
  m.state().gpr[x86::kRax] = 0;
  m.code({0xf3, 0x48, 0xab, 0xf4});  // rep stosq; hlt
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRsi], 2u);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 512u - 101);
  EXPECT_EQ(m.state().cr2, PagingMachine::kLinear + (100 << 12) + 101 * 8);
}

TEST(Paging, ARepeatedMoveOverTheTableOfItsSourceFaultsInTheMiddle) {
  PagingMachine m(kP | kW);
  m.put<u64>(PagingMachine::kEntry + 100 * 8, PagingMachine::kPage | kP | kW);
  m.state().gpr[x86::kRsi] = PagingMachine::kLinear + (100 << 12);
  m.state().gpr[x86::kRdi] = PagingMachine::kEntry;
  m.state().gpr[x86::kRcx] = 512;
  m.code({0xf3, 0x48, 0xa5, 0xf4});  // rep movsq; hlt
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRsi], 0u);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 512u - 101);
}

TEST(Paging, ARepeatedStoreOverAFormerTableClearsItAll) {
  PagingMachine m(kP | kW);
  m.put<u64>(kSpare, 0x20000 | kP | kW);
  m.put<u64>(PagingMachine::kDirectory + 8, kSpare | 7);
  m.state().gpr[x86::kRbx] = PagingMachine::kLinear + (2 << 20);
  EXPECT_EQ(m.error(kRead), 0xdeadu);
  m.put<u64>(PagingMachine::kDirectory + 8, 0);
  m.put<u64>(kSpare + 4088, 0x20000 | kP | kW);
  m.state().gpr[x86::kRdi] = kSpare;
  m.state().gpr[x86::kRcx] = 512;
  m.state().gpr[x86::kRax] = 0;
  m.state().halted = false;
  m.code({0xf3, 0x48, 0xab, 0xf4});
  EXPECT_EQ(m.run(m.position() + 1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 0u);
  EXPECT_EQ(m.get<u64>(kSpare), 0u);
  EXPECT_EQ(m.get<u64>(kSpare + 4088), 0u);
  EXPECT_EQ(m.error(kRead), 0u);
}

TEST(Paging, CodeIsFetchedThroughTheChangedEntry) {
  PagingMachine m(kP | kW);
  // The page holds: write the entry, then (in the same block) add 1; the other page adds 2 in the same place.
  m.state().gpr[x86::kRdx] = PagingMachine::kEntry;
  // mov dword [rdx], 0x21003; add ebp, 1; hlt
  m.bytes(0x20000, {0xc7, 2, 3, 0x10, 2, 0, 0x83, 0xc5, 1, 0xf4});
  // mov dword [rdx], 0x21003; add ebp, 2; hlt
  m.bytes(0x21000, {0xc7, 2, 3, 0x10, 2, 0, 0x83, 0xc5, 2, 0xf4});
  m.code(kJump);
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbp], 2u);
}

TEST(Paging, ErrorCodesTellThePresentTheWriteAndTheUser) {
  EXPECT_EQ(PagingMachine(0).error(kRead), 0u);
  EXPECT_EQ(PagingMachine(0).error(kWrite), 2u);
  EXPECT_EQ(PagingMachine(kP).error(kWrite), 3u) << "CR0.WP is set";
  EXPECT_EQ(PagingMachine(kP | kU, 3).error(kWrite), 7u);
  EXPECT_EQ(PagingMachine(0, 3).error(kRead), 4u);
  EXPECT_EQ(PagingMachine(kP | kW, 3).error(kRead), 5u) << "a supervisor page";
  EXPECT_EQ(PagingMachine(kP | kNx).error(kJump), 0x11u);
  EXPECT_EQ(PagingMachine(kP | u64{1} << 45).error(kRead), 9u) << "beyond the physical address width";
}

TEST(Paging, AFaultLeavesAccessedAndDirtyBitsOfTheEntryAlone) {
  PagingMachine m(kP);
  EXPECT_EQ(m.error(kWrite), 3u);
  EXPECT_EQ(m.entry(), kP);
}

TEST(Paging, WithoutWriteProtectTheSupervisorWritesReadOnlyPages) {
  PagingMachine m(kP);
  m.state().cr0 &= ~u64{x86::kCr0Wp};
  EXPECT_EQ(m.error(kWrite), 0xdeadu);
  EXPECT_EQ(m.entry(), kP | kA | kD);
}

TEST(Paging, WithoutNxeTheNxBitIsReserved) {
  PagingMachine m(kP | kNx);
  m.state().efer &= ~u64{x86::kEferNxe};
  EXPECT_EQ(m.error(kRead), 9u);
}

TEST(Paging, SmepKeepsTheSupervisorFromUserCode) {
  PagingMachine m(kP | kU);
  m.bytes(0x20000, {0xf4});
  m.state().cr4 |= x86::kCr4Smep;
  // The test's own code is in user pages too: make them supervisor pages.
  m.put<u64>(0x12000, 0x83);
  EXPECT_EQ(m.error(kJump), 0x11u);
}

TEST(Paging, SmapKeepsTheSupervisorFromUserDataUnlessAcIsSet) {
  PagingMachine m(kP | kW | kU);
  m.put<u64>(0x12000, 0x83);
  m.state().cr4 |= x86::kCr4Smap;
  // stac; mov eax, [rbx]; clac; mov eax, [rbx]; hlt
  const std::vector<u8> code = {0xf, 1, 0xcb, 0x8b, 3, 0xf, 1, 0xca, 0x8b, 3, 0xf4};
  EXPECT_EQ(m.error(code), 1u);
  EXPECT_EQ(m.entry() & kA, kA);
}

TEST(Paging, AnAccessAcrossTwoPagesFaultsWholeOrWritesWhole) {
  PagingMachine m(kP | kW);
  m.state().gpr[x86::kRbx] = PagingMachine::kLinear + 0xffe;
  m.state().gpr[x86::kRax] = 0x44332211;
  EXPECT_EQ(m.error(kWrite), 2u);
  EXPECT_EQ(m.state().cr2, PagingMachine::kLinear + 0x1000);
  EXPECT_EQ(m.get<u16>(0x20ffe), 0u) << "nothing was written";
  m.put<u64>(PagingMachine::kEntry + 8, 0x25000 | 3);
  m.state().gpr[x86::kRsi] = 0xdead;
  EXPECT_EQ(m.error(kWrite), 0xdeadu);
  EXPECT_EQ(m.get<u16>(0x20ffe), 0x2211u);
  EXPECT_EQ(m.get<u16>(0x25000), 0x4433u);
}

TEST(Paging, AnInstructionAcrossTwoPagesFaultsOnTheSecond) {
  PagingMachine m(kP | kW);
  m.bytes(0x20fff, {0xb8});  // mov eax, imm32
  m.state().gpr[x86::kRbx] = PagingMachine::kLinear + 0xfff;
  EXPECT_EQ(m.error(kJump), 0x10u);
  EXPECT_EQ(m.state().cr2, PagingMachine::kLinear + 0x1000);
  m.put<u64>(PagingMachine::kEntry + 8, 0x25000 | 3);
  m.bytes(0x25000, {1, 2, 3, 4, 0xf4});
  EXPECT_EQ(m.error(kJump), 0x10u) << "rsi is left from the first fault";
  EXPECT_EQ(m.state().gpr[x86::kRax], 0x04030201u);
  // The other page's mapping changes: the instruction is another one.
  m.put<u64>(PagingMachine::kEntry + 8, 0x26000 | 3);
  m.bytes(0x26000, {5, 6, 7, 8, 0xf4});
  m.error(kJump);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0x08070605u);
}

TEST(Paging, TwoAddressSpacesDoNotMix) {
  PagingMachine m(kP | kW);
  m.put<u32>(0x20000, 1);
  m.put<u32>(0x21000, 2);
  // A second root with another page at the same address.
  m.put<u64>(0x16000, 0x17000 | 7);
  m.put<u64>(0x17000, 0x12000 | 7);
  m.put<u64>(0x17008, 0x18000 | 7);
  m.put<u64>(0x18000, 0x19000 | 7);
  m.put<u64>(0x19000, 0x21000 | 3);
  // mov ecx, [rbx]; mov eax, 0x16000; mov cr3, rax; mov ebp, [rbx]; mov eax, 0x10000; mov cr3, rax; mov edx, [rbx];
  // hlt
  m.code({0x8b, 0xb, 0xb8, 0, 0x60, 1, 0, 0xf, 0x22, 0xd8, 0x8b, 0x2b, 0xb8, 0, 0, 1, 0, 0xf, 0x22, 0xd8, 0x8b,
      0x13, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 1u);
  EXPECT_EQ(m.state().gpr[x86::kRbp], 2u);
  EXPECT_EQ(m.state().gpr[x86::kRdx], 1u);
}

TEST(Paging, AGigabytePageMapsItsGigabyte) {
  PagingMachine m(0);
  m.put<u64>(0x11010, 0x83);  // linear 2 GiB -> physical 0
  m.put<u32>(0x21234, 77);
  m.state().gpr[x86::kRbx] = 0x8002'1234;
  EXPECT_EQ(m.error(kRead), 0xdeadu);
  EXPECT_EQ(m.state().gpr[x86::kRax], 77u);
}

TEST(Paging, ThirtyTwoBitPagingHasFourMegabytePagesAndSmallOnes) {
  TestMachine m;
  m.protected_mode();
  m.put<u32>(0x10000, 0x83);          // 0: a large page
  m.put<u32>(0x10004, 0x11007);       // 4 MiB: a table
  m.put<u32>(0x11000, 0x20003);
  m.put<u32>(0x20000, 99);
  // mov eax, cr4; or eax, 0x10; mov cr4, eax; mov eax, 0x10000; mov cr3, eax; mov eax, cr0; or eax, 0x80010000; mov
  // cr0, eax; mov ecx, [0x400000]; mov [0x400004], ecx; hlt
  m.code({0xf, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0xf, 0x22, 0xe0, 0xb8, 0, 0, 1, 0, 0xf, 0x22, 0xd8, 0xf, 0x20, 0xc0,
      0xd, 0, 0, 1, 0x80, 0xf, 0x22, 0xc0, 0x8b, 0xd, 0, 0, 0x40, 0, 0x89, 0xd, 4, 0, 0x40, 0, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 99u);
  EXPECT_EQ(m.get<u32>(0x20004), 99u);
  EXPECT_EQ(m.get<u32>(0x11000), 0x20063u);
}

TEST(Paging, PaePagingLoadsItsFourEntriesWithCr3) {
  TestMachine m;
  m.protected_mode();
  m.put<u64>(0x10000, 0x11001);
  m.put<u64>(0x10008, 0x12001);
  m.put<u64>(0x11000, 0x83);
  m.put<u64>(0x12000, 0x13007);
  m.put<u64>(0x13000, 0x20003);
  m.put<u32>(0x20000, 42);
  // mov eax, 0x20; mov cr4, eax; mov eax, 0x10000; mov cr3, eax; mov eax, cr0; or eax, 0x80000000; mov cr0, eax; mov
  // ecx, [0x40000000]; hlt
  m.code({0xb8, 0x20, 0, 0, 0, 0xf, 0x22, 0xe0, 0xb8, 0, 0, 1, 0, 0xf, 0x22, 0xd8, 0xf, 0x20, 0xc0, 0xd, 0, 0, 0,
      0x80, 0xf, 0x22, 0xc0, 0x8b, 0xd, 0, 0, 0, 0x40, 0xf4});
  EXPECT_EQ(m.run(100), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 42u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
