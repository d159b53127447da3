#include "device/virtio/queue.h"

#include <gtest/gtest.h>

#include "device/virtio/driver_model.h"

namespace pollux::device::virtio {
namespace {

using memory::PhysAddr;
using test::DriverQueue;

class QueueTest : public testing::Test {
 protected:
  static constexpr u64 kMemory = 2 << 20;
  void start(u16 size = 8, bool events = false) {
    queue.reset();
    driver = DriverQueue(memory, 0x1000, size);
    for (u64 at = 0x1000; at < 0x3000; at += 8) memory.store(PhysAddr(at), u64{0});
    queue.set_size(size);
    queue.set_descriptors(driver.descriptors());
    queue.set_driver_area(driver.available());
    queue.set_device_area(driver.used());
    queue.use_event_index(events);
    queue.enable();
  }
  bool pop_breaks() {
    const unsigned n = queue.available();
    return (n == 0 || !queue.pop(chain)) && queue.broken();
  }
  // A descriptor as the guest likes it.
  void raw(u16 index, u64 at, u32 length, u16 flags, u16 next) {
    driver.write_descriptor(driver.descriptors(), index, {at, length, false}, flags, next);
  }

  memory::GuestMemory memory{memory::heap_region(kMemory)};
  Queue queue{memory, 256};
  DriverQueue driver{memory, 0x1000, 8};
  Chain chain;
};

TEST_F(QueueTest, AChainComesInItsTwoParts) {
  start();
  const u16 head = driver.add({{0x8000, 16, false}, {0x9000, 100, true}, {0xa000, 1, true}});
  ASSERT_EQ(queue.available(), 1u);
  ASSERT_TRUE(queue.pop(chain));
  EXPECT_EQ(chain.head, head);
  EXPECT_EQ(chain.readable, (std::vector<Segment>{{PhysAddr(0x8000), 16}}));
  EXPECT_EQ(chain.writable, (std::vector<Segment>{{PhysAddr(0x9000), 100}, {PhysAddr(0xa000), 1}}));
  EXPECT_EQ(chain.writable_bytes, 101u);
  EXPECT_EQ(queue.available(), 0u);
  queue.push(chain.head, 7);
  EXPECT_EQ(driver.used_index(), 0) << "not yet published";
  EXPECT_TRUE(queue.publish());
  const auto used = driver.take_used();
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].length, 7u);
  EXPECT_FALSE(queue.publish()) << "nothing new";
}

TEST_F(QueueTest, TheRingWrapsManyTimes) {
  start(4);
  for (int i = 0; i < 70000; ++i) {
    driver.add({{0x8000, 1, false}});
    ASSERT_EQ(queue.available(), 1u);
    ASSERT_TRUE(queue.pop(chain));
    queue.push(chain.head, 0);
    queue.publish();
    ASSERT_EQ(driver.take_used().size(), 1u);
  }
}

TEST_F(QueueTest, AChainGivenBackComesAgain) {
  start();
  const u16 first = driver.add({{0x8000, 1, true}});
  driver.add({{0x9000, 1, true}});
  ASSERT_TRUE(queue.pop(chain) && queue.pop(chain));
  queue.unpop(2);
  EXPECT_EQ(queue.available(), 2u);
  ASSERT_TRUE(queue.pop(chain));
  EXPECT_EQ(chain.head, first);
}

TEST_F(QueueTest, TheDriverCanSilenceInterruptsByFlag) {
  start();
  driver.set_flags(1);
  driver.add({{0x8000, 1, true}});
  ASSERT_TRUE(queue.pop(chain));
  queue.push(chain.head, 1);
  EXPECT_FALSE(queue.publish());
}

TEST_F(QueueTest, WithEventIndicesTheInterruptComesAtTheEntryTheDriverNamed) {
  start(8, true);
  driver.set_used_event(1);
  std::vector<bool> interrupts;
  for (int i = 0; i < 3; ++i) {
    driver.add({{0x8000, 1, true}});
    ASSERT_TRUE(queue.pop(chain));
    queue.push(chain.head, 1);
    interrupts.push_back(queue.publish());
  }
  EXPECT_EQ(interrupts, (std::vector<bool>{false, true, false}));
}

TEST_F(QueueTest, TheDoorbellWishIsShownInTheUsedRing) {
  start(8, false);
  queue.want_doorbell(false);
  EXPECT_EQ(driver.device_flags(), 1);
  queue.want_doorbell(true);
  EXPECT_EQ(driver.device_flags(), 0);
  start(8, true);
  driver.add({{0x8000, 1, true}});
  queue.want_doorbell(true);
  EXPECT_EQ(driver.device_event(), 1);
  queue.want_doorbell(false);
  EXPECT_EQ(driver.device_event(), 0);
}

TEST_F(QueueTest, AnIndirectTableStandsForItsDescriptors) {
  start();
  driver.add_indirect(0x6000, {{0x8000, 16, false}, {0x9000, 100, true}});
  ASSERT_TRUE(queue.pop(chain));
  EXPECT_EQ(chain.readable_bytes, 16u);
  EXPECT_EQ(chain.writable_bytes, 100u);
}

TEST_F(QueueTest, ALoopBreaksTheRing) {
  start();
  raw(0, 0x8000, 1, 1, 1);
  raw(1, 0x8000, 1, 1, 0);
  driver.offer(0);
  EXPECT_TRUE(pop_breaks());
  EXPECT_EQ(queue.available(), 0u);
  start();
  driver.write_descriptor(0x6000, 0, {0x8000, 1, false}, 1, 0);
  raw(0, 0x6000, 16, 4, 0);
  driver.offer(0);
  EXPECT_TRUE(pop_breaks());
}

TEST_F(QueueTest, EveryKindOfBadDescriptorBreaksTheRing) {
  const auto bad = [&](u64 at, u32 length, u16 flags, u16 next) {
    start();
    raw(0, at, length, flags, next);
    driver.offer(0);
    return pop_breaks();
  };
  EXPECT_TRUE(bad(kMemory - 1, 2, 0, 0)) << "ends outside RAM";
  EXPECT_TRUE(bad(~u64{0} - 4, 16, 0, 0)) << "wraps around";
  EXPECT_TRUE(bad(0xe000'0000, 4, 0, 0)) << "device memory";
  EXPECT_TRUE(bad(0x8000, 4, 1, 8)) << "next outside the table";
  EXPECT_TRUE(bad(0x8000, 15, 4, 0)) << "indirect: not whole descriptors";
  EXPECT_TRUE(bad(0x8000, 0, 4, 0)) << "indirect: empty";
  EXPECT_TRUE(bad(0x8000, 16, 4 | 1, 0)) << "indirect with next";
  EXPECT_TRUE(bad(kMemory - 16, 32, 4, 0)) << "indirect: outside RAM";
  EXPECT_TRUE(bad(0x8000, 0xffff'fff0, 4, 0)) << "indirect: huge";
  EXPECT_FALSE(bad(0x8000, 4, 0, 0));
}

TEST_F(QueueTest, AnIndirectTableInsideAnIndirectTableBreaksTheRing) {
  start();
  driver.write_descriptor(0x6000, 0, {0x7000, 16, false}, 4, 0);
  raw(0, 0x6000, 16, 4, 0);
  driver.offer(0);
  EXPECT_TRUE(pop_breaks());
}

TEST_F(QueueTest, AReadableDescriptorBehindAWritableOneBreaksTheRing) {
  start();
  raw(0, 0x8000, 1, 1 | 2, 1);
  raw(1, 0x8000, 1, 0, 0);
  driver.offer(0);
  EXPECT_TRUE(pop_breaks());
}

TEST_F(QueueTest, AHeadOrAnIndexOutsideTheRingBreaksIt) {
  start();
  driver.offer(8);
  EXPECT_TRUE(pop_breaks());
  start();
  driver.set_available_index(9);
  EXPECT_TRUE(pop_breaks());
}

TEST_F(QueueTest, AChainWithTooManySegmentsBreaksTheRing) {
  start();
  std::vector<DriverQueue::Buffer> many(Queue::kMaxSegments, {0x8000, 1, false});
  driver.add_indirect(0x10000, many);
  EXPECT_FALSE(pop_breaks());
  start();
  many.push_back({0x8000, 1, false});
  driver.add_indirect(0x10000, many);
  EXPECT_TRUE(pop_breaks());
}

TEST_F(QueueTest, AreasOutsideRamOrUnalignedBreakTheRing) {
  for (int area = 0; area < 3; ++area) {
    for (const u64 at : {kMemory - 8, ~u64{0} - 63, u64{0x1001}}) {
      start();
      Queue other(memory, 256);
      other.set_descriptors(area == 0 ? at : driver.descriptors());
      other.set_driver_area(area == 1 ? at : driver.available());
      other.set_device_area(area == 2 ? at : driver.used());
      other.enable();
      EXPECT_EQ(other.available(), 0u);
      EXPECT_TRUE(other.broken());
      other.push(0, 1);
      EXPECT_FALSE(other.publish());
    }
  }
}

TEST_F(QueueTest, SizesThatAreNoPowerOfTwoAreNotTaken) {
  for (const u16 size : {u16{0}, u16{3}, u16{512}, u16{0x8000}}) {
    queue.set_size(size);
    EXPECT_EQ(queue.size(), 256);
  }
  queue.set_size(32);
  EXPECT_EQ(queue.size(), 32);
  queue.enable();
  queue.set_size(16);
  queue.set_descriptors(16);
  EXPECT_EQ(queue.size(), 32) << "an enabled queue is fixed";
  EXPECT_EQ(queue.descriptors(), 0u);
}

TEST_F(QueueTest, GatherAndScatterCrossSegmentsAndStopAtTheirEnd) {
  const std::vector<Segment> segments{{PhysAddr(0x8000), 3}, {PhysAddr(0x9000), 0}, {PhysAddr(0xa000), 5}};
  EXPECT_EQ(scatter(memory, segments, 1, as_bytes("abcdefghij")), 7u);
  std::string back(8, ' ');
  EXPECT_EQ(gather(memory, segments, 2, std::as_writable_bytes(std::span(back))), 6u);
  EXPECT_EQ(back, "bcdefg  ");
  EXPECT_EQ(gather(memory, segments, 100, std::as_writable_bytes(std::span(back))), 0u);
}

}  // namespace
}  // namespace pollux::device::virtio
