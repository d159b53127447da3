#include "host/switch/reassembly.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::host::switching {
namespace {

constexpr std::size_t kHeaders = 34;

void put16(Bytes& into, std::size_t at, std::size_t value) {
  into[at] = std::byte(value >> 8);
  into[at + 1] = std::byte(value);
}

void seal(Bytes& frame) {
  put16(frame, 24, 0);
  u32 sum = 0;
  for (std::size_t i = 14; i < kHeaders; i += 2) sum += u32(frame[i]) << 8 | u32(frame[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(frame, 24, ~sum & 0xffff);
}

Bytes fragment(std::size_t offset, bool more, std::size_t size, u16 id = 1) {
  Bytes frame(kHeaders + size, std::byte{7});
  put16(frame, 12, 0x0800);
  frame[14] = std::byte{0x45};
  put16(frame, 16, 20 + size);
  put16(frame, 18, id);
  put16(frame, 20, offset / 8 | (more ? 0x2000 : 0));
  for (std::size_t i = 0; i < size; ++i) frame[kHeaders + i] = std::byte((offset + i) % 251);
  seal(frame);
  return frame;
}

TEST(ReassemblyTest, FragmentsInOrderBecomeTheirDatagram) {
  Reassembly reassembly;
  EXPECT_TRUE(reassembly.whole(fragment(0, true, 1480)).empty());
  EXPECT_TRUE(reassembly.whole(fragment(0, true, 8, 2)).empty());  // another one between
  EXPECT_TRUE(reassembly.whole(fragment(1480, true, 1480)).empty());
  Bytes expected = fragment(0, false, 3000);
  const ByteSpan whole = reassembly.whole(fragment(2960, false, 40));
  EXPECT_EQ(Bytes(whole.begin(), whole.end()), expected);
  EXPECT_EQ(reassembly.unfinished(), 1u);
}

TEST(ReassemblyTest, AWholeDatagramAndOtherProtocolsPassAsTheyAre) {
  Reassembly reassembly;
  const Bytes datagram = fragment(0, false, 100);
  EXPECT_EQ(reassembly.whole(datagram).data(), datagram.data());
  Bytes arp(42);
  put16(arp, 12, 0x0806);
  EXPECT_EQ(reassembly.whole(arp).size(), 42u);
}

TEST(ReassemblyTest, OverlapsGapsAndTooMuchEndTheDatagram) {
  const auto broken_by = [](const Bytes& second) {
    Reassembly reassembly;
    reassembly.whole(fragment(0, true, 80));
    const bool silent = reassembly.whole(second).empty();
    return silent && reassembly.whole(fragment(80, false, 8)).empty() && reassembly.unfinished() == 0;
  };
  EXPECT_TRUE(broken_by(fragment(72, true, 80)));
  EXPECT_TRUE(broken_by(fragment(88, true, 80)));
  EXPECT_TRUE(broken_by(fragment(80, true, 0)));
  EXPECT_TRUE(broken_by(fragment(80, true, 81)));
  EXPECT_TRUE(broken_by(fragment(80, false, 65460)));
}

TEST(ReassemblyTest, LengthsThatDoNotFitTheFrameGoNoFurther) {
  Reassembly reassembly;
  for (const std::size_t length : {0, 19, 121, 65535}) {
    Bytes frame = fragment(0, false, 100);
    put16(frame, 16, length);
    seal(frame);
    EXPECT_TRUE(reassembly.whole(frame).empty()) << length;
  }
  Bytes frame = fragment(0, false, 100);
  frame[14] = std::byte{0x44};
  EXPECT_TRUE(reassembly.whole(frame).empty()) << "a header of 16 bytes";
  EXPECT_TRUE(reassembly.whole(ByteSpan(frame).first(20)).empty());
  EXPECT_TRUE(reassembly.whole(ByteSpan(frame).first(13)).empty());
}

TEST(ReassemblyTest, LengthsOfTcpUdpAndIcmpThatAreNotTrueGoNoFurther) {
  const auto passes = [](u8 protocol, std::size_t size, std::size_t at, std::size_t value) {
    Bytes frame = fragment(0, false, size);
    frame[23] = std::byte(protocol);
    if (at + 2 <= size) put16(frame, kHeaders + at, value);
    seal(frame);
    Reassembly reassembly;
    return !reassembly.whole(frame).empty();
  };
  EXPECT_TRUE(passes(17, 100, 4, 100));
  EXPECT_TRUE(passes(17, 100, 4, 8));
  EXPECT_FALSE(passes(17, 100, 4, 7));
  EXPECT_FALSE(passes(17, 100, 4, 101));
  EXPECT_FALSE(passes(17, 7, 4, 7));
  EXPECT_TRUE(passes(6, 100, 12, 0x5000));
  EXPECT_FALSE(passes(6, 100, 12, 0x4000));
  EXPECT_FALSE(passes(6, 56, 12, 0xf000));
  EXPECT_FALSE(passes(6, 19, 12, 0x5000));
  EXPECT_TRUE(passes(1, 8, 0, 0x0800));
  EXPECT_FALSE(passes(1, 7, 0, 0x0800));
}

TEST(ReassemblyTest, ADatagramWhoseLengthIsNotTrueWhenItIsWholeGoesNoFurther) {
  Reassembly reassembly;
  for (const std::size_t length : {160, 161}) {
    Bytes first = fragment(0, true, 80);
    first[23] = std::byte{17};
    put16(first, kHeaders + 4, length);
    seal(first);
    Bytes second = fragment(80, false, 80);
    second[23] = std::byte{17};
    seal(second);
    reassembly.whole(first);
    EXPECT_EQ(reassembly.whole(second).empty(), length == 161);
  }
}

TEST(ReassemblyTest, WhatIsNeverFinishedIsBounded) {
  Reassembly reassembly;
  for (u16 id = 0; id < 1000; ++id) reassembly.whole(fragment(0, true, 1480, id));
  EXPECT_EQ(reassembly.unfinished(), Reassembly::kMaxDatagrams);
  EXPECT_FALSE(reassembly.whole(fragment(1480, false, 8, 999)).empty());
}

TEST(ReassemblyTest, NothingMakesItHandOnWhatDoesNotFit) {
  Reassembly reassembly;
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    Bytes frame = fragment(random.below(8192) * 8 % 4096, random.chance(0.7), random.below(200), u16(random.below(4)));
    if (random.chance(0.3)) {
      frame[12 + random.below(kHeaders - 12)] = std::byte(random.below(256));
      seal(frame);
    }
    const ByteSpan whole = reassembly.whole(frame);
    if (whole.empty() || whole[12] != std::byte{8} || whole[13] != std::byte{0}) continue;
    ASSERT_LE(14 + (u32(whole[16]) << 8 | u32(whole[17])), whole.size());
    ASSERT_EQ((u32(whole[20]) << 8 | u32(whole[21])) & 0x3fff, 0u);
  }
}

}  // namespace
}  // namespace pollux::host::switching
