#include "device/ioapic.h"

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::device {
namespace {

struct Sink final : InterruptSink {
  std::vector<InterruptMessage> messages;
  void deliver(const InterruptMessage& m) override { messages.push_back(m); }
};

struct IoapicTest : testing::Test {
  Sink sink;
  Ioapic apic{sink, 0};

  void put(u32 index, u32 value) {
    apic.write(0, 4, index);
    apic.write(0x10, 4, value);
  }
  u32 get(u32 index) {
    apic.write(0, 4, index);
    return u32(apic.read(0x10, 4));
  }
  void entry(unsigned pin, u32 low, u8 destination = 0) {
    put(0x11 + 2 * pin, u32(destination) << 24);
    put(0x10 + 2 * pin, low);
  }
};

constexpr u32 kLevel = 1 << 15, kMasked = 1 << 16, kRemoteIrr = 1 << 14;

TEST_F(IoapicTest, SaysItsVersionAndTwentyFourInputs) { EXPECT_EQ(get(1), 0x170020u); }

TEST_F(IoapicTest, AnEdgeIsOneMessage) {
  entry(4, 0x34, 7);
  apic.pin(4).set(true);
  apic.pin(4).set(true);
  apic.pin(4).set(false);
  ASSERT_EQ(sink.messages.size(), 1u);
  EXPECT_EQ(sink.messages[0].vector, 0x34);
  EXPECT_EQ(sink.messages[0].destination, 7u);
  EXPECT_EQ(sink.messages[0].trigger, Trigger::kEdge);
}

TEST_F(IoapicTest, ALevelIsRepeatedAfterItsEndWhileItLasts) {
  entry(9, 0x39 | kLevel);
  apic.pin(9).set(true);
  EXPECT_EQ(sink.messages.size(), 1u);
  EXPECT_TRUE(get(0x10 + 18) & kRemoteIrr);
  apic.end_of_interrupt(0x39);
  EXPECT_EQ(sink.messages.size(), 2u);
  apic.pin(9).set(false);
  apic.end_of_interrupt(0x39);
  EXPECT_EQ(sink.messages.size(), 2u);
  EXPECT_FALSE(get(0x10 + 18) & kRemoteIrr);
}

TEST_F(IoapicTest, AMaskedEdgeIsKeptAndAMaskedLevelWaits) {
  apic.pin(4).set(true);
  apic.pin(9).set(true);
  entry(9, 0x39 | kLevel | kMasked);
  EXPECT_TRUE(sink.messages.empty());
  entry(9, 0x39 | kLevel);
  EXPECT_EQ(sink.messages.size(), 1u);
  entry(4, 0x34);
  EXPECT_EQ(sink.messages.size(), 2u);
}

TEST_F(IoapicTest, TheEndRegisterNamesAVector) {
  entry(9, 0x39 | kLevel);
  apic.pin(9).set(true);
  apic.write(0x40, 4, 0x40);
  EXPECT_EQ(sink.messages.size(), 1u);
  apic.write(0x40, 4, 0x39);
  EXPECT_EQ(sink.messages.size(), 2u);
}

TEST_F(IoapicTest, ReadOnlyBitsStay) {
  put(0x12, 0xffff'ffff);
  EXPECT_EQ(get(0x12) & (kRemoteIrr | 1 << 12), 0u);
}

}  // namespace
}  // namespace pollux::device
