#include "cpu/check/journal.h"

#include <gtest/gtest.h>

namespace pollux::cpu::check {
namespace {

using memory::PhysAddr;

struct Memory {
  u64 at(u64 address) {
    u64 value = 0;
    memory.load(PhysAddr(address), value);
    return value;
  }
  void store(u64 address, u64 value) { memory.store(PhysAddr(address), value); }
  memory::GuestMemory memory{memory::heap_region(1 << 20)};
  PageJournal journal{memory};
};

// Watches all pages and keeps what it is told.
struct Told final : memory::WriteObserver {
  explicit Told(memory::GuestMemory& memory) {
    const unsigned observer = memory.add_observer(this);
    for (u64 page = 0; page < memory.pages(); ++page) memory.watch(memory.page_address(page), observer);
  }
  void watched_write(PhysAddr from, u64 length, memory::Writer) override { writes.push_back({from.value, length}); }
  void forget_write_access() override {}
  void forget_write_access(PhysAddr) override {}
  std::vector<std::pair<u64, u64>> writes;
};

TEST(PageJournal, KeepsEachPageOnceAsItWas) {
  Memory m;
  m.store(0x1008, 1);
  m.journal.begin();
  m.store(0x1008, 2);
  m.store(0x1010, 3);
  m.store(0x5000, 4);
  auto pages = m.journal.end();
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].at, PhysAddr(0x1000));
  EXPECT_EQ(pages[1].at, PhysAddr(0x5000));
  for (WrittenPage& page : pages) m.journal.take_back(page);
  EXPECT_EQ(m.at(0x1008), 1u);
  EXPECT_EQ(m.at(0x1010), 0u);
  EXPECT_EQ(m.at(0x5000), 0u);
  u64 after = 0;
  std::memcpy(&after, pages[0].after->data() + 8, 8);
  EXPECT_EQ(after, 2u);
}

TEST(PageJournal, TellsProcessorsOfTheWordsThatItPutsBackAndOfNoOthers) {
  Memory m;
  m.journal.begin();
  m.store(0x1000, 2);
  m.store(0x1ff8, 3);
  auto pages = m.journal.end();
  Told told(m.memory);
  for (WrittenPage& page : pages) m.journal.put_back(page);
  EXPECT_EQ(told.writes, (std::vector<std::pair<u64, u64>>{{0x1000, 8}, {0x1ff8, 8}}));
}

TEST(PageJournal, SeesARunsWritesToPagesThatWereWrittenBefore) {
  Memory m;
  for (u64 run = 1; run < 4; ++run) {
    m.journal.begin();
    m.store(0x2000, run);
    auto pages = m.journal.end();
    ASSERT_EQ(pages.size(), 1u) << run;
    m.journal.recycle(pages);
    m.store(0x3000, run);  // between runs: a device's, or another processor's
  }
}

TEST(PageJournal, TellsApartWhatADeviceWrites) {
  Memory m;
  m.journal.begin();
  m.store(0x1000, 1);
  m.journal.begin_device();
  m.store(0x1008, 2);
  m.store(0x4000, 3);
  m.store(0x1008, 4);
  const auto writes = m.journal.end_device();
  m.store(0x4008, 5);
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].at, PhysAddr(0x1008));
  EXPECT_EQ(writes[0].bytes[0], std::byte(4));
  EXPECT_EQ(writes[1].at, PhysAddr(0x4000));
  auto pages = m.journal.end();
  EXPECT_EQ(pages.size(), 2u);
  for (WrittenPage& page : pages) m.journal.take_back(page);
  for (const u64 at : {0x1000, 0x1008, 0x4000, 0x4008}) EXPECT_EQ(m.at(at), 0u);
}

}  // namespace
}  // namespace pollux::cpu::check
