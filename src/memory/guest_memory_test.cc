#include "memory/guest_memory.h"

#include <vector>

#include <gtest/gtest.h>

namespace pollux::memory {
namespace {

struct Observer final : WriteObserver {
  explicit Observer(GuestMemory& m) : memory(m), number(m.add_observer(this)) {}
  void watched_write(PhysAddr from, u64 length, Writer writer) override {
    writes.push_back({from.value, length, writer});
    if (unwatches) memory.unwatch(PhysAddr(from.value & ~kPageMask), number);
  }
  void forget_write_access() override { ++forgotten; }
  void forget_write_access(PhysAddr) override { ++forgotten; }

  struct Write {
    u64 from, length;
    Writer writer;
    bool operator==(const Write&) const = default;
  };
  GuestMemory& memory;
  unsigned number;
  bool unwatches = false;
  unsigned forgotten = 0;
  std::vector<Write> writes;
};

struct Memory : testing::Test {
  GuestMemory memory{heap_region(1 << 20)};
  Observer one{memory}, other{memory};
  const PhysAddr page{0x5000};
};

TEST_F(Memory, AWriteIsToldToThoseWhoWatchThePage) {
  memory.watch(page, one.number);
  EXPECT_EQ(one.forgotten, 1u);
  EXPECT_EQ(other.forgotten, 1u) << "nobody may go on writing the page untold";
  memory.store<u32>(page + 8, 1);
  memory.store<u32>(page + 0x1000, 1);
  EXPECT_EQ(one.writes, (std::vector<Observer::Write>{{0x5008, 4, Writer::kGuest}}));
  EXPECT_TRUE(other.writes.empty());
}

TEST_F(Memory, APageIsWatchedUntilTheLastWatcherHasGone) {
  memory.watch(page, one.number);
  memory.watch(page, other.number);
  memory.unwatch(page, one.number);
  EXPECT_TRUE(memory.watched(page));
  memory.note_write(page, 8, Writer::kWalk);
  EXPECT_TRUE(one.writes.empty());
  EXPECT_EQ(other.writes, (std::vector<Observer::Write>{{0x5000, 8, Writer::kWalk}}));
  memory.unwatch(page, other.number);
  EXPECT_FALSE(memory.watched(page));
}

TEST_F(Memory, AWatcherMayLeaveWhileItIsTold) {
  one.unwatches = other.unwatches = true;
  memory.watch(page, one.number);
  memory.watch(page, other.number);
  memory.store<u8>(page, 1);
  memory.store<u8>(page, 2);
  EXPECT_EQ(one.writes.size(), 1u);
  EXPECT_EQ(other.writes.size(), 1u);
  EXPECT_FALSE(memory.watched(page));
}

TEST_F(Memory, RehashingStopsWhereItIsAskedToAndTheDigestIsTheSame) {
  GuestMemory same{heap_region(1 << 20)};
  for (u64 at = 0; at < 1 << 20; at += kPageSize) {
    memory.store<u64>(PhysAddr(at), at + 1);
    same.store<u64>(PhysAddr(at), at + 1);
  }
  std::atomic<bool> asked = true;
  EXPECT_FALSE(memory.rehash({&asked}));
  EXPECT_TRUE(memory.dirty(page));
  asked = false;
  EXPECT_TRUE(memory.rehash({&asked}));
  EXPECT_FALSE(memory.dirty(page));
  memory.store<u64>(page, 5);
  same.store<u64>(page, 5);
  EXPECT_EQ(memory.digest(), same.digest());
}

TEST_F(Memory, TheDigestMakesPagesCleanAndVoidsWriteAccessOfAll) {
  memory.store<u8>(page, 1);
  EXPECT_TRUE(memory.dirty(page));
  const u64 digest = memory.digest();
  EXPECT_FALSE(memory.dirty(page));
  EXPECT_EQ(one.forgotten, 1u);
  EXPECT_EQ(other.forgotten, 1u);
  memory.watch(page, one.number);
  EXPECT_EQ(memory.digest(), digest);
  memory.store<u8>(page, 0);
  EXPECT_NE(memory.digest(), digest);
}

}  // namespace
}  // namespace pollux::memory
