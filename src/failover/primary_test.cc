#include "failover/primary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pollux::failover {
namespace {

constexpr u64 kMs = 1'000'000;

door::OutputAt packet(u64 position) { return {door::Position(position), door::PacketOutput{0, Bytes(60)}}; }
log::Entry key(u64 position) { return {door::Position(position), door::Input{door::ConsoleInput{Bytes(1)}}}; }

// A primary with a clock, and a backup that is played by hand.
class PrimaryTest : public testing::Test {
 protected:
  PrimaryTest() : primary_({.pair = "web", .name = "alpha", .generation = Generation(1)}, now_) { step(); }

  void step() {
    Obligations out = primary_.take();
    for (Message& message : out.send) sent_.push_back(std::move(message));
    for (door::OutputAt& output : out.release) released_.push_back(output.position.value);
    for (Event& event : out.events) events_.push_back(event.kind);
    if (out.ask_arbiter) asked_.push_back(out.ask_arbiter->value);
    if (out.raise_fence) raised_.push_back(out.raise_fence->value);
    closed_ |= out.close_channel;
    stopped_ |= out.stopped;
    if (out.halt) halted_ = out.halt->sentence;
  }
  void protect() {
    primary_.received(Welcome{"beta", 1 << 20}, now_);
    step();
  }
  // Time passes as a driver lets it pass: with ticks.
  void wait(u64 ms) {
    for (u64 i = 0; i < ms; i += 10) {
      now_ += 10 * kMs;
      primary_.tick(now_);
      step();
    }
  }
  void make(u64 position) {
    primary_.made(packet(position), now_);
    step();
  }
  void append(const log::Entry& entry) {
    primary_.appended(entry, now_);
    step();
  }
  u64 entries_sent() const {
    u64 count = 0;
    for (const Message& message : sent_)
      if (const auto* log = std::get_if<Log>(&message)) count += log->entries.size();
    return count;
  }
  void acknowledge(u64 received) {
    primary_.received(Ack{.received = received, .consumed = received, .echo_ns = now_}, now_);
    step();
  }
  void lose_backup() {
    primary_.channel_closed("it is gone", now_);
    step();
  }
  void win() {
    primary_.arbiter_answered(Generation(asked_.back()), ArbiterAnswer::kWon, now_);
    step();
    primary_.fence_answered(Generation(raised_.back()), FenceAnswer::kMine, now_);
    step();
  }

  u64 now_ = 1000 * kMs;
  Primary primary_;
  std::vector<Message> sent_;
  std::vector<u64> released_, asked_, raised_;
  std::vector<EventKind> events_;
  std::string halted_;
  bool closed_ = false, stopped_ = false;
};

TEST_F(PrimaryTest, SaysHelloFirstAndHoldsTheMachineUntilItIsWelcome) {
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Hello>(sent_[0]));
  EXPECT_TRUE(primary_.holds_machine());
  protect();
  EXPECT_FALSE(primary_.holds_machine());
}

TEST_F(PrimaryTest, AnOutputWaitsForTheAcknowledgementOfItsOwnEntry) {  // R2
  protect();
  append(key(10));
  make(20);
  EXPECT_EQ(entries_sent(), 2u) << "the key, and that 20 was reached; at once";
  acknowledge(1);
  EXPECT_TRUE(released_.empty());
  acknowledge(2);
  EXPECT_THAT(released_, testing::ElementsAre(20));
}

TEST_F(PrimaryTest, TwoOutputsAtOnePositionNeedOneEntry) {
  protect();
  make(20);
  make(20);
  EXPECT_EQ(entries_sent(), 1u);
  acknowledge(1);
  EXPECT_THAT(released_, testing::ElementsAre(20, 20));
}

TEST_F(PrimaryTest, AnAcknowledgementOfAnOldMessageOpensNothing) {  // the lease
  protect();
  make(20);
  now_ += 250 * kMs;
  primary_.received(Ack{.received = 1, .consumed = 1, .echo_ns = now_ - 250 * kMs}, now_);
  step();
  EXPECT_TRUE(released_.empty()) << "the backup may believe this side dead";
  acknowledge(1);
  EXPECT_THAT(released_, testing::ElementsAre(20));
}

TEST_F(PrimaryTest, AnIdlePrimaryStillSpeaks) {  // R8
  protect();
  const std::size_t before = sent_.size();
  wait(200);
  EXPECT_GE(sent_.size() - before, 6u);
  EXPECT_TRUE(std::holds_alternative<KeepAlive>(sent_.back()));
}

TEST_F(PrimaryTest, SilenceOfTheBackupLeadsToTheArbiterAndOnlyThenToTheWorld) {  // R5, R8
  protect();
  make(20);
  wait(290);
  EXPECT_TRUE(asked_.empty());
  wait(30);
  EXPECT_THAT(asked_, testing::ElementsAre(2));
  EXPECT_TRUE(released_.empty());
  make(30);
  EXPECT_TRUE(released_.empty());
  win();
  EXPECT_THAT(released_, testing::ElementsAre(20, 30));
  make(40);
  EXPECT_THAT(released_, testing::ElementsAre(20, 30, 40)) << "alone, nothing waits";
  EXPECT_EQ(primary_.generation(), Generation(2));
}

TEST_F(PrimaryTest, HeartbeatsBesideASlowChannelKeepThePairTogether) {  // R8
  protect();
  for (int i = 0; i < 60; ++i) {
    wait(10);
    primary_.heard({.generation = Generation(1), .sent_ns = now_, .echo_ns = now_}, now_);
    step();
  }
  EXPECT_TRUE(asked_.empty());
  for (int i = 0; i < 60; ++i) {
    wait(10);
    primary_.heard({.generation = Generation(1), .sent_ns = now_, .echo_ns = now_}, now_);
    step();
  }
  EXPECT_THAT(asked_, testing::ElementsAre(2)) << "but not for ever: no log moves";
}

TEST_F(PrimaryTest, TheLoserHaltsAndNothingItHeldEverLeaves) {  // R5
  protect();
  make(20);
  lose_backup();
  primary_.arbiter_answered(Generation(2), ArbiterAnswer::kLost, now_);
  step();
  EXPECT_FALSE(halted_.empty());
  acknowledge(1);
  make(30);
  wait(1000);
  EXPECT_TRUE(released_.empty());
  EXPECT_TRUE(primary_.holds_machine());
}

TEST_F(PrimaryTest, AnArbiterThatCannotBeReachedIsAskedAgain) {  // R5
  protect();
  make(20);
  lose_backup();
  for (int i = 0; i < 3; ++i) {
    primary_.arbiter_answered(Generation(2), ArbiterAnswer::kUnreachable, now_);
    step();
    wait(200);
  }
  EXPECT_GE(asked_.size(), 3u);
  EXPECT_TRUE(released_.empty());
  win();
  EXPECT_THAT(released_, testing::ElementsAre(20));
}

TEST_F(PrimaryTest, NothingLeavesBetweenTheArbiterAndTheFence) {  // R7
  protect();
  make(20);
  lose_backup();
  primary_.arbiter_answered(Generation(2), ArbiterAnswer::kWon, now_);
  step();
  EXPECT_TRUE(released_.empty());
  EXPECT_THAT(raised_, testing::ElementsAre(2));
  primary_.fence_answered(Generation(2), FenceAnswer::kFenced, now_);
  step();
  EXPECT_TRUE(released_.empty());
  EXPECT_FALSE(halted_.empty());
}

TEST_F(PrimaryTest, AFullBackupHoldsTheMachineUntilItConsumes) {  // R9
  primary_.received(Welcome{"beta", 1000}, now_);
  step();
  u64 position = 0;
  while (!primary_.holds_machine()) append(key(++position));
  wait(10);
  EXPECT_EQ(primary_.counters(now_).stalls, 1u);
  primary_.received(Ack{.received = position, .consumed = position, .consumed_bytes = 100'000, .echo_ns = now_}, now_);
  step();
  EXPECT_FALSE(primary_.holds_machine());
}

TEST_F(PrimaryTest, PowerOffTravelsInTheLogAndEndsWhenTheBackupHasIt) {  // R10
  protect();
  make(20);
  primary_.closing(door::Position(25), 77, now_);
  step();
  EXPECT_EQ(entries_sent(), 2u);
  EXPECT_FALSE(stopped_);
  acknowledge(2);
  EXPECT_THAT(released_, testing::ElementsAre(20));
  EXPECT_TRUE(stopped_);
}

TEST_F(PrimaryTest, PowerOffWithTheBackupGoneStillAsksTheArbiter) {  // R10, R5
  protect();
  make(20);
  primary_.closing(door::Position(25), 77, now_);
  step();
  lose_backup();
  EXPECT_FALSE(stopped_);
  win();
  EXPECT_THAT(released_, testing::ElementsAre(20));
  EXPECT_TRUE(stopped_);
}

TEST_F(PrimaryTest, ABackupThatCannotKeepUpIsDroppedAfterTheArbiterWasWon) {  // R9
  protect();
  append(key(10));
  for (int i = 0; i < 3500 && asked_.empty(); ++i) {
    wait(10);
    primary_.received(Ack{.received = 1, .consumed = 0, .behind_ns = 1000 * kMs, .echo_ns = now_}, now_);
    step();
  }
  EXPECT_THAT(asked_, testing::ElementsAre(2));
  EXPECT_FALSE(closed_);
  EXPECT_LT(primary_.counters(now_).speed, 0.7);
  EXPECT_GT(primary_.counters(now_).speed, 0.01);
  win();
  EXPECT_TRUE(std::holds_alternative<Dropped>(sent_.back()));
  EXPECT_TRUE(closed_);
  EXPECT_THAT(events_, testing::Contains(EventKind::kDropped));
}

TEST_F(PrimaryTest, ABackupThatHasConsumedNothingYetIsNotCenturiesBehind) {  // R9
  protect();
  append(key(10));
  const u64 sent_ns = now_;
  now_ += 5 * kMs;
  primary_.received(Ack{.received = 1, .behind_ns = sent_ns, .echo_ns = now_}, now_);
  wait(10);
  EXPECT_EQ(primary_.counters(now_).lag_ns, 15 * kMs);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(PrimaryTest, AnAcknowledgementOfWhatWasNeverSentIsAFaultOfTheBackup) {
  protect();
  make(20);
  acknowledge(5);
  EXPECT_TRUE(released_.empty());
  EXPECT_THAT(asked_, testing::ElementsAre(2));
}

TEST_F(PrimaryTest, OldAndDoubledHeartbeatsAreNoSignOfLife) {
  protect();
  const Heartbeat old{.generation = Generation(1), .sent_ns = now_, .echo_ns = now_};
  primary_.heard(old, now_);
  for (int i = 0; i < 31; ++i) {
    wait(10);
    primary_.heard(old, now_);
    primary_.heard({.generation = Generation(0), .sent_ns = now_, .echo_ns = now_}, now_);
    step();
  }
  EXPECT_THAT(asked_, testing::ElementsAre(2));
}

TEST_F(PrimaryTest, ARefusalIsTheOperatorsSentence) {
  primary_.received(Refused{"this backup has 2 disks, the primary has 1"}, now_);
  step();
  EXPECT_THAT(halted_, testing::HasSubstr("this backup has 2 disks"));
}

}  // namespace
}  // namespace pollux::failover
