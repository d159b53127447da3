#include "failover/promotion.h"

#include <gtest/gtest.h>

namespace pollux::failover {
namespace {

door::OutputAt packet(u64 position, std::size_t bytes = 60) {
  return {door::Position(position), door::PacketOutput{0, Bytes(bytes)}};
}

TEST(UnsureOutputs, KeepsWhatIsAboveTheReleasedPosition) {
  UnsureOutputs unsure(1 << 20);
  for (u64 position = 1; position <= 5; ++position) unsure.made(packet(position));
  unsure.released(door::Position(3));
  const auto outputs = unsure.take();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].position, door::Position(4));
  EXPECT_EQ(unsure.bytes(), 0u);
}

TEST(UnsureOutputs, LeavesDiskRequestsToTheSession) {
  UnsureOutputs unsure(1 << 20);
  unsure.made({door::Position(1), door::DiskOutput{}});
  EXPECT_TRUE(unsure.take().empty());
}

TEST(UnsureOutputs, ForgetsTheOldestWhenThereAreTooMany) {
  UnsureOutputs unsure(10'000);
  for (u64 position = 1; position <= 100; ++position) unsure.made(packet(position, 1500));
  EXPECT_LE(unsure.bytes(), 10'000u);
  EXPECT_EQ(unsure.take().back().position, door::Position(100));
}

TEST(Announcement, IsABroadcastFromTheCardsOwnAddress) {
  const Bytes frame = announcement({2, 0, 0, 1, 2, 3});
  ASSERT_EQ(frame.size(), 60u);
  EXPECT_EQ(frame[0], std::byte{0xff});
  EXPECT_EQ(frame[6], std::byte{2});
  EXPECT_EQ(frame[11], std::byte{3});
}

}  // namespace
}  // namespace pollux::failover
