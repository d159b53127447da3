// Loops that write into page tables which are in use, beside accesses through the pages that the entries map.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

class PageTables : public testing::TestWithParam<const char*> {};

constexpr u8 kHlt = 0xf4;
constexpr u64 kTurns = 400;

// rbx: the first page at 1 GiB. Bit 12 of an entry for 0x20000 chooses one of two pages, which hold 1 or 1,000
// everywhere; the one at 0x22000 holds 1, too.
void load(Machine& m, std::initializer_list<u64> mapped, const std::vector<u8>& body) {
  m.long_mode();
  m.map_at_1_gib(mapped);
  for (u64 at = 0; at < 0x1000; at += 8)
    m.put<u64>(0x20000 + at, 1), m.put<u64>(0x21000 + at, 1000), m.put<u64>(0x22000 + at, 1);
  m.state().gpr[x86::kRbx] = u64{1} << 30;
  m.state().gpr[x86::kRcx] = kTurns;
  std::vector<u8> code = body;
  const u8 back = u8(-i64(code.size() + 4));
  for (const u8 byte : {u8(0xff), u8(0xc9), u8(0x75), back, kHlt}) code.push_back(byte);  // dec ecx; jnz; hlt
  m.code(code);
}

std::vector<u8> xor_entry(u8 number) { return {0x81, 0x34, 0x25, u8(8 * number), 0x40, 1, 0, 0, 0x10, 0, 0}; }

// add rdi, [rbx]; xor dword [entry of that page], 0x1000; add rsi, [rbx + 8]
TEST_P(PageTables, AnAddressIsNotKeptOverAWriteThatMovesItsPage) {
  Machine m(GetParam());
  std::vector<u8> body = {0x48, 0x03, 0x3b};
  for (const u8 byte : xor_entry(0)) body.push_back(byte);
  for (const u8 byte : {0x48, 0x03, 0x73, 0x08}) body.push_back(u8(byte));
  load(m, {0x20000}, body);
  ASSERT_EQ(m.run(10'000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRdi], kTurns / 2 * 1001);
  EXPECT_EQ(m.state().gpr[x86::kRsi], kTurns / 2 * 1001);
  EXPECT_EQ(m.get<u64>(0x14000) & ~u64{0x60}, 0x20003u);
}

// xor dword [the other page's entry], 0x1000; add rdi, [rbx]; add rsi, [rbx + 0x1000]; add rdi, [rbx + 8]
std::vector<u8> beside() {
  std::vector<u8> body = xor_entry(1);
  for (const u8 byte : {0x48, 0x03, 0x3b, 0x48, 0x03, 0xb3, 0, 0x10, 0, 0, 0x48, 0x03, 0x7b, 0x08})
    body.push_back(u8(byte));
  return body;
}

TEST_P(PageTables, AWriteThatMovesAnotherPageIsSeenAtOnce) {
  Machine m(GetParam());
  load(m, {0x22000, 0x20000}, beside());
  ASSERT_EQ(m.run(10'000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRdi], 2 * kTurns);
  EXPECT_EQ(m.state().gpr[x86::kRsi], kTurns / 2 * 1001);
}

// add rdi, [rbx]; xor dword [rdx], 0x1000; add rdx, r8: rdx goes from entry to entry.
TEST(PageTables, WritesToEntriesAreTranslated) {
  Machine m("translate");
  load(m, {0x22000}, {0x48, 0x03, 0x3b, 0x81, 0x32, 0, 0x10, 0, 0, 0x4c, 0x01, 0xc2});
  m.state().gpr[x86::kRdx] = 0x14008;
  m.state().gpr[x86::kR8] = 8;
  ASSERT_EQ(m.run(10'000), StopReason::kHalted);
  for (u64 n = 1; n <= kTurns; ++n) EXPECT_EQ(m.get<u64>(0x14000 + 8 * n), 0x1000u);
  EXPECT_LT(m.counted("engine.interpreted_steps"), kTurns / 2);  // those that look where the loop goes
}

// The entry is that of the code itself, and the other page ends in another way.
TEST_P(PageTables, CodeGoesOnInThePageThatItsEntryNamesNow) {
  Machine m(GetParam());
  m.long_mode();
  m.map_at_1_gib({0x20000});
  // inc eax; xor dword [entry], 0x1000; inc eax or ecx; hlt
  std::vector<u8> here = {0xff, 0xc0};
  for (const u8 byte : xor_entry(0)) here.push_back(byte);
  std::vector<u8> there = here;
  for (const u8 byte : {u8(0xff), u8(0xc0), kHlt}) here.push_back(byte);
  for (const u8 byte : {u8(0xff), u8(0xc1), kHlt}) there.push_back(byte);
  m.bytes(0x20000, here);
  m.bytes(0x21000, there);
  // xor eax, eax; xor ecx, ecx; mov edi, 1 GiB; jmp rdi
  m.code({0x31, 0xc0, 0x31, 0xc9, 0xbf, 0, 0, 0, 0x40, 0xff, 0xe7});
  ASSERT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 1u);
  EXPECT_EQ(m.state().gpr[x86::kRcx], 1u);
}

// The cell that CALL takes its target from is the entry of the stack's 2 MiB, which are outside RAM: pushing sets its
// accessed and dirty bits, behind the reading. mov esp, 0x200ff8; call [0x12008]
TEST_P(PageTables, ATargetIsReadBeforeThePushSetsBitsInIt) {
  Machine m(GetParam());
  m.long_mode();
  m.put<u64>(0x12008, 0x2000087);
  m.put<u64>(0x12080, 0x2000e7);  // where the target is
  for (const u64 target : {0x200087, 0x2000a7, 0x2000e7}) m.bytes(target, {kHlt});
  m.code({0xbc, 0xf8, 0x0f, 0x20, 0, 0xff, 0x14, 0x25, 0x08, 0x20, 1, 0});
  ASSERT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().rip, 0x2000088u);
  EXPECT_EQ(m.get<u64>(0x12008), 0x20000e7u);
}

// The stack is in the page table that maps rbx. add rdi, [rbx]; mov esp, 0x14ff8; call the next instruction or one in
// another page, where jmp leads to itself.
TEST_P(PageTables, ACallPushesIntoAPageTableThatIsInUse) {
  for (const unsigned cpl : {0, 3}) {
    for (const u32 distance : {0x0, 0x20000}) {
      Machine m(GetParam());
      m.long_mode(cpl);
      m.map_at_1_gib({});
      m.put<u64>(0x14000, 0x20000 | 7);
      m.state().gpr[x86::kRbx] = u64{1} << 30;
      std::vector<u8> code = {0x48, 0x03, 0x3b, 0xbc, 0xf8, 0x4f, 1, 0, 0xe8};
      put32(code, distance);
      m.code(code);
      const u64 behind = m.state().rip + code.size();
      m.bytes(behind + distance, {0xeb, 0xfe});
      ASSERT_EQ(m.run(200), StopReason::kPosition);
      EXPECT_EQ(m.state().gpr[x86::kRsp], 0x14ff0u) << cpl << ' ' << distance;
      EXPECT_EQ(m.get<u64>(0x14ff0), behind);
      EXPECT_EQ(m.state().rip, behind + distance);
    }
  }
}

// REP MOVS copies a page table to a page that its first entry maps: the first iteration reads the entry, and then sets
// its dirty bit. mov al, [0x12000]; mov esi, 0x12000; mov edi, 0x30000; mov ecx, 512; rep movsq; hlt
TEST_P(PageTables, AnEntryIsCopiedBeforeTheCopySetsItsDirtyBit) {
  for (const bool cut : {false, true}) {
    Machine m(GetParam());
    m.long_mode();
    m.put<u64>(0x12000, m.get<u64>(0x12000) & ~u64{0x60});
    m.code({0x8a, 0x04, 0x25, 0, 0x20, 1, 0, 0xbe, 0, 0x20, 1,    0,    0xbf,
            0,    0,    3,    0, 0xb9, 0, 2, 0,    0, 0xf3, 0x48, 0xa5, kHlt});
    if (cut) m.run(5);  // behind the first iteration
    ASSERT_EQ(m.run(1000), StopReason::kHalted);
    EXPECT_EQ(m.get<u64>(0x30000) & 0x60, 0x20u) << cut;
    EXPECT_EQ(m.get<u64>(0x12000) & 0x60, 0x60u);
  }
}

// REP STOS fills the page table that it is fetched through, at another address: with its first iteration its own page
// is another one. mov byte [0x30000], 0, which sets the dirty bit there; mov eax, 0x21003; mov edi, 0x14000; mov ecx,
// 512; mov edx, 1 GiB; jmp rdx. There: rep stosq; hlt
TEST_P(PageTables, EachIterationIsFetchedThroughWhatTheLastOneWrote) {
  for (const bool cut : {false, true}) {
    Machine m(GetParam());
    m.long_mode();
    m.map_at_1_gib({0x20000});
    m.bytes(0x20000, {0xf3, 0x48, 0xab, kHlt});
    m.bytes(0x21000, {kHlt});
    m.code({0xc6, 0x04, 0x25, 0,    0, 3, 0, 0, 0xb8, 0x03, 0x10, 2, 0,    0xbf, 0,
            0x40, 1,    0,    0xb9, 0, 2, 0, 0, 0xba, 0,    0,    0, 0x40, 0xff, 0xe2});
    if (cut) m.run(7);  // behind the first iteration
    ASSERT_EQ(m.run(1000), StopReason::kHalted);
    EXPECT_EQ(m.state().gpr[x86::kRcx], 511u) << cut;
    EXPECT_EQ(m.get<u64>(0x14008), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, PageTables, testing::Values("interpret", "translate", "check"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace pollux::test::engine
