#include "failover/driver/fenced_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "failover/driver/driver_test_tools.h"

namespace pollux::failover::driver {
namespace {

class HandFence final : public Fence {
 public:
  FenceAnswer enter(Generation) override {
    ++entered;
    return answer;
  }
  void leave() override { ++left; }
  FenceAnswer raise(Generation) override { return answer; }
  FenceAnswer answer = FenceAnswer::kMine;
  int entered = 0, left = 0;
};

class FencedWorldTest : public testing::Test {
 protected:
  static door::DiskOutput request(u64 number, door::DiskOperation operation) {
    return {.request = number, .operation = operation, .length = 512, .data = Bytes(512)};
  }
  void write(u64 number) { fenced_.perform(request(number, door::DiskOperation::kWrite)); }
  void packet() { fenced_.perform(door::PacketOutput{0, Bytes(60)}); }
  void take_inputs() {
    std::vector<door::Input> arrived;
    fenced_.wait(0, arrived);
  }

  Bytes disk_ = Bytes(4096);
  std::vector<std::string> seen_;
  MemoryWorld inner_{disk_, [this](const door::Output& output) { seen_.push_back(door::name(output)); }};
  HandFence fence_;
  int fenced_calls_ = 0;
  FencedWorld fenced_{inner_, fence_, Generation(1), [this] { ++fenced_calls_; }};
};

TEST_F(FencedWorldTest, OneWindowServesABurstOfWrites) {
  write(1);
  write(2);
  EXPECT_EQ(fence_.entered, 1);
  EXPECT_EQ(fence_.left, 0);
  EXPECT_EQ(fenced_.writes_in_flight(), 2u);
  take_inputs();
  EXPECT_EQ(fence_.left, 1);
  write(3);
  EXPECT_EQ(fence_.entered, 2);
}

TEST_F(FencedWorldTest, WhatArrivesIsAnnouncedThroughTheFence) {
  EXPECT_NE(fenced_.arrival(), nullptr);
  EXPECT_EQ(fenced_.arrival(), inner_.arrival());
}

TEST_F(FencedWorldTest, ReadsAndPacketsNeedNoFence) {
  fenced_.perform(request(1, door::DiskOperation::kRead));
  packet();
  EXPECT_EQ(fence_.entered, 0);
  EXPECT_EQ(seen_.size(), 2u);
}

TEST_F(FencedWorldTest, WhatCannotPassTheFenceKeepsTheRestWaitingInOrder) {
  fence_.answer = FenceAnswer::kUnreachable;
  write(1);
  packet();
  EXPECT_TRUE(seen_.empty());
  fence_.answer = FenceAnswer::kMine;
  take_inputs();
  EXPECT_THAT(seen_, testing::ElementsAre("disk", "packet"));
}

TEST_F(FencedWorldTest, AFencedSideLetsNothingOut) {
  fence_.answer = FenceAnswer::kFenced;
  write(1);
  packet();
  fence_.answer = FenceAnswer::kMine;
  take_inputs();
  write(2);
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(fenced_calls_, 1);
  EXPECT_TRUE(fenced_.fenced());
}

TEST_F(FencedWorldTest, AShutSideStaysInsideUntilItsWritesHaveEnded) {
  write(1);
  fenced_.shut();
  EXPECT_EQ(fence_.left, 0);
  take_inputs();
  EXPECT_EQ(fence_.left, 1);
}

}  // namespace
}  // namespace pollux::failover::driver
