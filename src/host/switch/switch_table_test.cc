#include "host/switch/switch_table.h"

#include <gtest/gtest.h>

#include "host/switch/forward.h"
#include "host/switch/held_frames.h"

namespace pollux::host::switching {
namespace {

constexpr Mac kGuest{0x52, 0x54, 0, 0, 0, 1};
constexpr Mac kOther{0x52, 0x54, 0, 0, 0, 2};
constexpr Mac kGroup{0x33, 0x33, 0, 0, 0, 1};

TEST(SwitchTable, AnAddressIsFoundWhereItWasHeard) {
  SwitchTable table;
  EXPECT_EQ(table.learn(kGuest, 3, 0), SwitchTable::Learned::kNew);
  EXPECT_EQ(table.learn(kGuest, 3, 1), SwitchTable::Learned::kKnown);
  EXPECT_EQ(table.lookup(kGuest, 2), 3u);
  EXPECT_EQ(table.lookup(kOther, 2), std::nullopt);
}

TEST(SwitchTable, OneFrameFromAnotherPortMovesAnAddress) {
  SwitchTable table;
  table.learn(kGuest, 3, 0);
  EXPECT_EQ(table.learn(kGuest, 4, 1), SwitchTable::Learned::kMoved);
  EXPECT_EQ(table.lookup(kGuest, 1), 4u);
}

TEST(SwitchTable, GroupAddressesAreNeverLearned) {
  SwitchTable table;
  table.learn(kGroup, 1, 0);
  EXPECT_EQ(table.lookup(kGroup, 0), std::nullopt);
}

TEST(SwitchTable, AnAddressNotHeardForFiveMinutesIsForgotten) {
  SwitchTable table;
  table.learn(kGuest, 1, 0);
  EXPECT_EQ(table.lookup(kGuest, SwitchTable::kMaxAgeNs), 1u);
  EXPECT_EQ(table.lookup(kGuest, SwitchTable::kMaxAgeNs + 1), std::nullopt);
}

TEST(SwitchTable, APortThatGoesTakesItsAddressesAlong) {
  SwitchTable table;
  table.learn(kGuest, 1, 0);
  table.learn(kOther, 2, 0);
  EXPECT_EQ(table.forget_port(1), std::vector<Mac>{kGuest});
  EXPECT_EQ(table.lookup(kGuest, 0), std::nullopt);
  EXPECT_EQ(table.lookup(kOther, 0), 2u);
}

TEST(SwitchTable, AFloodOfAddressesReplacesTheOldestAndNotTheLatest) {
  SwitchTable table;
  for (u64 i = 0; i < SwitchTable::kMaxAddresses; ++i) {
    table.learn({0x02, 0, u8(i >> 24), u8(i >> 16), u8(i >> 8), u8(i)}, 1, i);
  }
  table.learn(kGuest, 2, 1'000'000);
  EXPECT_EQ(table.size(), SwitchTable::kMaxAddresses);
  EXPECT_EQ(table.lookup(kGuest, 1'000'000), 2u);
  EXPECT_EQ(table.lookup({0x02, 0, 0, 0, 0, 0}, 1'000'000), std::nullopt);
}

TEST(HeldFrames, FramesForAnExpectedAddressComeBackInOrder) {
  HeldFrames held;
  const Bytes one(20, std::byte{1}), two(20, std::byte{2});
  EXPECT_FALSE(held.hold(kGuest, one, 0));
  held.expect(kGuest, 0);
  EXPECT_TRUE(held.hold(kGuest, one, 1));
  EXPECT_TRUE(held.hold(kGuest, two, 2));
  EXPECT_FALSE(held.hold(kOther, one, 2));
  EXPECT_EQ(held.release(kGuest, 3), (std::vector<Bytes>{one, two}));
  EXPECT_FALSE(held.hold(kGuest, one, 4));
}

TEST(HeldFrames, TooManyLoseTheOldestAndTooOldLoseAll) {
  HeldFrames held;
  held.expect(kGuest, 0);
  for (std::size_t i = 0; i < HeldFrames::kMaxFrames + 10; ++i) held.hold(kGuest, Bytes(20, std::byte(i)), 0);
  const std::vector<Bytes> kept = held.release(kGuest, 0);
  ASSERT_EQ(kept.size(), HeldFrames::kMaxFrames);
  EXPECT_EQ(kept.front()[0], std::byte{10});
  held.expect(kGuest, 0);
  held.hold(kGuest, Bytes(20), 0);
  EXPECT_FALSE(held.hold(kGuest, Bytes(20), HeldFrames::kMaxAgeNs + 1));
  EXPECT_TRUE(held.release(kGuest, HeldFrames::kMaxAgeNs + 1).empty());
}

TEST(Forward, ItsFormsAreRead) {
  const Forward plain = *parse_forward("tcp:2222:22");
  EXPECT_EQ(plain.host_address, "127.0.0.1");
  EXPECT_EQ(plain.host_port, 2222);
  EXPECT_EQ(plain.guest_address, "10.0.2.15");
  EXPECT_EQ(plain.guest_port, 22);
  const Forward full = *parse_forward("udp:0.0.0.0:5353:10.0.2.16:53");
  EXPECT_EQ(full.protocol, Forward::Protocol::kUdp);
  EXPECT_EQ(full.host_address, "0.0.0.0");
  EXPECT_EQ(full.guest_address, "10.0.2.16");
  EXPECT_EQ(parse_forward("tcp:0.0.0.0:80:8080")->guest_port, 8080);
}

TEST(Forward, WhatIsNotOneIsRefusedWithAnExample) {
  for (const char* text : {"", "tcp", "tcp:1", "tcp:0:22", "tcp:65536:22", "tcp:a:22", "sctp:1:2", "tcp:host:1:2", "tcp:1:2:3:4:5", "tcp:22:", "tcp:22 :22"}) {
    const auto forward = parse_forward(text);
    ASSERT_FALSE(forward) << text;
    EXPECT_NE(forward.error().sentence.find("tcp:2222:22"), std::string::npos);
  }
}

}  // namespace
}  // namespace pollux::host::switching
