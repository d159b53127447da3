#include "device/pit.h"

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::device {
namespace {

// Virtual time of a tick, rounded up as the device does.
u64 ns_of(u64 ticks) { return u64((u128(ticks) * 1'000'000'000 + Pit::kHz - 1) / Pit::kHz); }

struct PitTest : testing::Test {
  TestHost host;
  TestLine irq;
  Pit pit{host, irq};

  void program(unsigned channel, unsigned mode, u16 count) {
    pit.counters().write(3, 1, channel << 6 | 0x30 | mode << 1);
    pit.counters().write(channel, 1, count & 0xff);
    pit.counters().write(channel, 1, count >> 8);
  }
  u16 count(unsigned channel) {
    pit.counters().write(3, 1, channel << 6);
    const u64 low = pit.counters().read(channel, 1);
    return u16(low | pit.counters().read(channel, 1) << 8);
  }
};

TEST_F(PitTest, PeriodicModeKeepsItsRateForEver) {
  program(0, 2, 11932);
  host.pass(pit, 1'000'000'000);
  EXPECT_EQ(irq.edges, 99u);  // 1193182 / 11932 = 99.998
  host.pass(pit, 100'000'000'000);
  EXPECT_EQ(irq.edges, 9999u);
}

TEST_F(PitTest, AnEdgeComesInTheFirstNanosecondOfItsTick) {
  program(0, 2, 1000);
  EXPECT_EQ(pit.deadline().value, ns_of(1000));
  host.time = pit.deadline();
  EXPECT_EQ(u128(host.time.value) * Pit::kHz / 1'000'000'000, 1000u);
  EXPECT_EQ(u128(host.time.value - 1) * Pit::kHz / 1'000'000'000, 999u);
}

TEST_F(PitTest, OneShotModeFiresOnce) {
  program(0, 0, 500);
  EXPECT_FALSE(irq.level);
  host.pass(pit, ns_of(501));
  EXPECT_EQ(irq.edges, 1u);
  EXPECT_EQ(pit.deadline(), door::kNever);
  program(0, 0, 500);
  EXPECT_FALSE(irq.level) << "the output goes low until the next count ends";
}

TEST_F(PitTest, CountsDown) {
  program(2, 0, 1000);
  EXPECT_EQ(count(2), 1000) << "the gate is closed";
  pit.gate().write(0, 1, 1);
  host.time = door::VirtualNs(ns_of(300));
  EXPECT_EQ(count(2), 700);
  pit.gate().write(0, 1, 0);
  host.time = door::VirtualNs(ns_of(900));
  EXPECT_EQ(count(2), 700);
  pit.gate().write(0, 1, 1);
  host.time = door::VirtualNs(ns_of(1500));
  EXPECT_EQ(count(2), 100);
  EXPECT_FALSE(pit.gate().read(0, 1) & 0x20);
  host.time = door::VirtualNs(ns_of(1700));
  EXPECT_TRUE(pit.gate().read(0, 1) & 0x20);
}

TEST_F(PitTest, SquareWaveIsHighForItsFirstHalf) {
  program(2, 3, 1000);
  pit.gate().write(0, 1, 1);
  host.time = door::VirtualNs(ns_of(499));
  EXPECT_TRUE(pit.gate().read(0, 1) & 0x20);
  host.time = door::VirtualNs(ns_of(501));
  EXPECT_FALSE(pit.gate().read(0, 1) & 0x20);
  EXPECT_EQ(count(2), 998) << "counts by twos, twice a period";
}

TEST_F(PitTest, ReadBackLatchesStatusAndCountTogether) {
  program(0, 2, 0x1234);
  pit.counters().write(3, 1, 0xc2);
  host.time = door::VirtualNs(ns_of(100));
  EXPECT_EQ(pit.counters().read(0, 1), 0xb4u) << "output high, both bytes, mode 2";
  EXPECT_EQ(pit.counters().read(0, 1), 0x34u);
  EXPECT_EQ(pit.counters().read(0, 1), 0x12u);
}

TEST_F(PitTest, SingleByteAccessAndBcd) {
  pit.counters().write(3, 1, 0x10 | 1);  // low byte, mode 0, BCD
  pit.counters().write(0, 1, 0x99);
  host.time = door::VirtualNs(ns_of(10));
  EXPECT_EQ(pit.counters().read(0, 1), 0x89u);
}

TEST_F(PitTest, ProgrammingWakesTheBoard) {
  const unsigned before = host.wakes;
  program(0, 2, 100);
  EXPECT_GT(host.wakes, before);
}

TEST_F(PitTest, GoesOnFromItsSavedState) {
  program(0, 2, 5000);
  TestLine line;
  Pit other(host, line);
  EXPECT_TRUE(copies(pit, other));
  EXPECT_EQ(other.deadline(), pit.deadline());
}

}  // namespace
}  // namespace pollux::device
