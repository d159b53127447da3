// Accesses that share a look-up, where some of them write: a read looks for a page that may be written.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

constexpr u8 kHlt = 0xf4;
constexpr unsigned kFirst = 1000, kThen = 100'000;  // turns
constexpr u64 kAt = u64{1} << 30, kEntry = 0x14000;
constexpr u64 kWritable = 3, kReadable = 1, kAccessed = 0x20, kDirty = 0x40;

// Turns in a page that may be written, and then in another one.
class Groups : public Machine {
 public:
  // entry: the other page's bits. holds: what is at its beginning.
  Groups(const char* engine, u64 entry, u64 holds) : Machine(engine) {
    long_mode();
    map_at_1_gib({0x20000});
    put<u64>(kEntry + 8, 0x21000 | entry);
    put<u64>(0x20000, 1);
    put<u64>(0x21000, holds);
    gate64(14, 0x3000);
    bytes(0x3000, {kHlt});
    state().gpr[x86::kRbx] = kAt;
    state().gpr[x86::kRdx] = kAt + 0x1000;
    state().gpr[x86::kRbp] = 2;
    // mov ecx, 1000
    // next: mov rax, [rbx]; test rax, rax; jz over; add qword [rbx + 8], 1; over: add rdi, rax; dec ecx; jnz next
    // xchg rbx, rdx; mov ecx, 100000; dec ebp; jnz next; hlt
    code({0xb9, 0xe8, 3,    0,    0,    0x48, 0x8b, 0x03, 0x48, 0x85, 0xc0, 0x74, 5,
          0x48, 0x83, 0x43, 8,    1,    0x48, 0x01, 0xc7, 0xff, 0xc9, 0x75, 0xec, 0x48,
          0x87, 0xd3, 0xb9, 0xa0, 0x86, 1,    0,    0xff, 0xcd, 0x75, 0xe0, kHlt});
  }
};

class EachEngine : public testing::TestWithParam<const char*> {};

TEST_P(EachEngine, APageThatIsOnlyReadStaysClean) {
  for (const u64 entry : {kReadable, kWritable}) {
    Groups m(GetParam(), entry, 0);
    ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
    EXPECT_EQ(m.state().gpr[x86::kRdi], kFirst);
    EXPECT_EQ(m.get<u64>(0x20008), kFirst);
    EXPECT_EQ(m.get<u64>(0x21008), 0u);
    EXPECT_EQ(m.get<u64>(kEntry + 8) & (kAccessed | kDirty), kAccessed) << entry;
  }
}

TEST_P(EachEngine, APageIsWrittenToWhenItsTimeComes) {
  Groups m(GetParam(), kWritable, 1);
  ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
  EXPECT_EQ(m.get<u64>(0x21008), kThen);
  EXPECT_EQ(m.get<u64>(kEntry + 8) & (kAccessed | kDirty), kAccessed | kDirty);
}

TEST_P(EachEngine, TheWriteFaultsBehindTheRead) {
  Groups m(GetParam(), kReadable, 1);
  ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
  EXPECT_EQ(m.state().rip, 0x3001u);
  EXPECT_EQ(m.state().cr2, kAt + 0x1008);
  EXPECT_EQ(m.get<u64>(m.state().gpr[x86::kRsp] + 8), 0x100du);
  EXPECT_EQ(m.state().gpr[x86::kRdi], kFirst);
  EXPECT_EQ(m.get<u64>(0x21008), 0u);
}

TEST(Groups, PagesThatMayOnlyBeReadAreNotTheTranslators) {
  for (const u64 entry : {kReadable, kWritable}) {
    Groups m("translate", entry, 0);
    ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
    EXPECT_LT(m.counted("engine.entries"), 1'000u) << entry;
    EXPECT_LT(m.counted("engine.interpreted_steps"), 1'000u) << entry;
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, EachEngine, testing::Values("interpret", "translate", "check"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace pollux::test::engine
