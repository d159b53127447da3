#include "device/rtc.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "device/test_host.h"

namespace pollux::device {
namespace {

constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kLeapDay = 1709164799;  // 2024-02-28 23:59:59, a Wednesday

TEST(RtcCalendar, DatesSurviveTheRoundTrip) {
  Random random(3);
  for (int i = 0; i < 100000; ++i) {
    const u64 seconds = random.below(250'000'000'000);
    ASSERT_EQ(seconds_of(date_of(seconds)), seconds);
  }
  EXPECT_EQ(date_of(kLeapDay), (Date{2024, 2, 28, 23, 59, 59, 4}));
  EXPECT_EQ(date_of(kLeapDay + 1), (Date{2024, 2, 29, 0, 0, 0, 5}));
}

struct RtcTest : testing::Test {
  TestHost host;
  TestLine irq;
  Rtc rtc{host, irq};

  void SetUp() override { rtc.set_wall_clock(kLeapDay * kSecond); }
  u8 get(u8 index) {
    rtc.write(0, 1, index);
    return u8(rtc.read(1, 1));
  }
  void put(u8 index, u8 value) {
    rtc.write(0, 1, index);
    rtc.write(1, 1, value);
  }
};

struct SlowHost final : Host {
  u64 now_ns = 0;
  door::VirtualNs now() const override { return door::VirtualNs(now_ns); }
  void emit(door::Output) override {}
  void wake_board() override {}
  void pass_time(u64 ns) override { now_ns += ns; }
  memory::GuestMemory& memory() override { std::abort(); }
};

TEST(RtcAtBoot, TheFirstReadingsOfTheSecondsEndAtHalfPast) {
  SlowHost host;
  TestLine irq;
  Rtc rtc(host, irq);
  rtc.set_wall_clock(kLeapDay * kSecond + 123'456'789);
  const auto read_seconds = [&] {
    rtc.write(0, 1, 0);
    return rtc.read(1, 1);
  };
  const auto date_ns = [&] { return kLeapDay * kSecond + 123'456'789 + host.now_ns; };
  for (int i = 0; i < 4; ++i) {
    read_seconds();
    EXPECT_EQ(date_ns() % kSecond, kSecond / 2) << i;
    const u64 then = host.now_ns;
    host.now_ns += 1000;
    read_seconds();  // the same reading: at once
    EXPECT_EQ(host.now_ns, then + 1000);
    host.now_ns += 1'700'000'000;
  }
  const u64 then = host.now_ns;
  read_seconds();
  EXPECT_EQ(host.now_ns, then) << "a guest that goes on reading does not run ahead";
}

TEST_F(RtcTest, ShowsTheDateInBcd) {
  EXPECT_EQ(get(0), 0x59);
  EXPECT_EQ(get(4), 0x23);
  host.time = door::VirtualNs(kSecond);
  EXPECT_EQ(get(0), 0x00);
  EXPECT_EQ(get(4), 0x00);
  EXPECT_EQ(get(6), 5);
  EXPECT_EQ(get(7), 0x29);
  EXPECT_EQ(get(8), 0x02);
  EXPECT_EQ(get(9), 0x24);
  EXPECT_EQ(get(0x32), 0x20);
}

TEST_F(RtcTest, ShowsTheDateInBinaryAndTwelveHours) {
  put(0xb, 0x04);
  EXPECT_EQ(get(4), 11 | 0x80);
  EXPECT_EQ(get(0), 59);
}

TEST_F(RtcTest, SaysThatAnUpdateIsNear) {
  EXPECT_EQ(get(0xa) & 0x80, 0);
  host.time = door::VirtualNs(kSecond - 100'000);
  EXPECT_EQ(get(0xa) & 0x80, 0x80);
}

TEST_F(RtcTest, AHeldClockIsSetAndGoesOn) {
  put(0xb, 0x82);
  put(0, 0x30);
  put(2, 0x15);
  put(4, 0x08);
  host.time = door::VirtualNs(10 * kSecond);
  EXPECT_EQ(get(0), 0x30) << "held";
  put(0xb, 0x02);
  EXPECT_EQ(get(0), 0x30);
  host.time = door::VirtualNs(10 * kSecond + kSecond / 2);
  EXPECT_EQ(get(0), 0x31);
  EXPECT_EQ(get(2), 0x15);
  EXPECT_EQ(get(4), 0x08);
}

TEST_F(RtcTest, PeriodicInterruptsComeAtTheirRateOnceAcknowledged) {
  put(0xa, 0x26);
  put(0xb, 0x42);
  unsigned taken = 0;
  while (host.time.value < kSecond) {
    ASSERT_NE(rtc.deadline(), door::kNever);
    host.pass(rtc, rtc.deadline().value);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(0xc) & 0xc0, 0xc0);
    EXPECT_FALSE(irq.level);
    ++taken;
  }
  EXPECT_NEAR(taken, 1024, 1);
}

TEST_F(RtcTest, UpdateInterruptComesAtTheSecond) {
  host.time = door::VirtualNs(300);
  put(0xb, 0x12);
  EXPECT_EQ(rtc.deadline().value, kSecond);
  host.pass(rtc, 2 * kSecond);
  EXPECT_EQ(irq.edges, 1u) << "not again before register C is read";
  EXPECT_EQ(get(0xc) & 0x90, 0x90);
}

TEST_F(RtcTest, AlarmComesAtItsTimeAndWithWildcards) {
  put(1, 0x05);
  put(3, 0x00);
  put(5, 0x00);
  put(0xb, 0x22);
  EXPECT_EQ(rtc.deadline().value, 6 * kSecond);
  host.pass(rtc, 6 * kSecond);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(get(0xc) & 0xa0, 0xa0);
  put(5, 0xff);
  EXPECT_EQ(rtc.deadline().value, (6 + 3600) * kSecond);
}

TEST_F(RtcTest, FlagsOfDisabledInterruptsAreFoundWhenRead) {
  host.time = door::VirtualNs(3 * kSecond);
  EXPECT_EQ(get(0xc) & 0x50, 0x50);
  EXPECT_EQ(get(0xc), 0);
  EXPECT_EQ(irq.edges, 0u);
}

TEST_F(RtcTest, KeepsItsMemory) {
  put(0x40, 0xab);
  EXPECT_EQ(get(0x40), 0xab);
  TestLine line;
  Rtc other(host, line);
  EXPECT_TRUE(copies(rtc, other));
}

}  // namespace
}  // namespace pollux::device
