#include "failover/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pollux::failover {
namespace {

constexpr u64 kMs = 1'000'000;

log::Entry key(u64 position) { return {door::Position(position), door::Input{door::ConsoleInput{Bytes(1)}}}; }
log::Entry end(u64 position) { return {door::Position(position), log::End{1}}; }
door::OutputAt packet(u64 position) { return {door::Position(position), door::PacketOutput{0, Bytes(60)}}; }

class BackupTest : public testing::Test {
 protected:
  BackupTest() : backup_({.pair = "web", .name = "beta", .version = "1", .disks = {{4096, false, 5}}}, now_) {}

  static Hello hello() {
    return {.version = "1", .pair = "web", .name = "alpha", .generation = Generation(4), .timeout_ns = 300 * kMs,
            .disks = {{4096, false, 5}}};
  }
  void step() {
    Obligations out = backup_.take();
    for (Message& message : out.send) sent_.push_back(std::move(message));
    for (log::Entry& entry : out.replay) buffer_.push_back(std::move(entry));
    for (Event& event : out.events) events_.push_back(event.kind);
    if (out.ask_arbiter) asked_.push_back(out.ask_arbiter->value);
    if (out.raise_fence) raised_.push_back(out.raise_fence->value);
    if (out.go_live) live_ = std::move(out.go_live);
    stopped_ |= out.stopped;
    released_ += out.release.size();
    if (out.halt) halted_ = out.halt->sentence;
  }
  void receive(const Message& message) {
    backup_.received(message, now_);
    step();
  }
  void follow() {
    receive(hello());
    backup_.ready(now_);
    step();
  }
  void log(std::vector<log::Entry> entries, u64 released = 0) {
    const u64 first = backup_.received_entries();
    receive(Log{first, now_, door::Position(released), std::move(entries)});
  }
  void consume(std::size_t count) {
    for (; count > 0; --count) {
      backup_.consumed(buffer_[backup_.consumed_entries()], now_);
      step();
    }
  }
  void wait(u64 ms) {
    for (u64 i = 0; i < ms; i += 10) {
      now_ += 10 * kMs;
      backup_.tick(now_);
      step();
    }
  }
  void lose_primary() {
    backup_.channel_closed("it is gone", now_);
    step();
  }
  void answer(ArbiterAnswer answer) {
    backup_.arbiter_answered(Generation(asked_.back()), answer, now_);
    step();
  }
  void answer(FenceAnswer answer) {
    backup_.fence_answered(Generation(raised_.back()), answer, now_);
    step();
  }

  u64 now_ = 1000 * kMs;
  Backup backup_;
  std::vector<Message> sent_;
  std::vector<log::Entry> buffer_;
  std::vector<EventKind> events_;
  std::vector<u64> asked_, raised_;
  std::optional<GoLive> live_;
  std::string halted_;
  std::size_t released_ = 0;
  bool stopped_ = false;
};

TEST_F(BackupTest, AcknowledgesOnReceiptAndNotOnExecution) {
  follow();
  log({key(10), key(20)});
  const auto* ack = std::get_if<Ack>(&sent_.back());
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, 2u);
  EXPECT_EQ(ack->consumed, 0u);
  EXPECT_EQ(ack->echo_ns, now_);
}

TEST_F(BackupTest, MayRunToTheLastEntryAndNoFurther) {  // R3
  follow();
  EXPECT_EQ(backup_.reached(), door::Position(0));
  log({key(10), key(20)});
  EXPECT_EQ(backup_.reached(), door::Position(20));
}

TEST_F(BackupTest, RefusesAnotherVersionMachineOrDiskWithASentence) {
  const auto refusal = [](auto change) {
    Backup backup({.pair = "web", .name = "beta", .version = "1", .disks = {{4096, false, 5}}}, 0);
    Hello other = hello();
    change(other);
    backup.received(other, 0);
    Obligations out = backup.take();
    EXPECT_TRUE(out.halt);
    const auto* refused = out.send.empty() ? nullptr : std::get_if<Refused>(&out.send[0]);
    return refused ? refused->sentence : "";
  };
  EXPECT_THAT(refusal([](Hello& h) { h.version = "2"; }), testing::HasSubstr("same version"));
  EXPECT_THAT(refusal([](Hello& h) { h.protocol = 9; }), testing::HasSubstr("same version"));
  EXPECT_THAT(refusal([](Hello& h) { h.pair = "db"; }), testing::HasSubstr("machine 'web'"));
  EXPECT_THAT(refusal([](Hello& h) { h.disks.clear(); }), testing::HasSubstr("1 disks"));
  EXPECT_THAT(refusal([](Hello& h) { h.disks[0].size_bytes = 1; }), testing::HasSubstr("another size"));
  EXPECT_THAT(refusal([](Hello& h) { h.disks[0].identity = 1; }), testing::HasSubstr("another content"));
  EXPECT_THAT(refusal([](Hello& h) { h.disks[0].read_only = true; }), testing::HasSubstr("read-only"));
}

TEST_F(BackupTest, ConsumesEverythingThenAsksThenFencesThenLives) {  // R6
  follow();
  log({key(10), key(20)});
  consume(1);
  lose_primary();
  EXPECT_TRUE(asked_.empty());
  consume(1);
  EXPECT_THAT(asked_, testing::ElementsAre(5));
  answer(ArbiterAnswer::kWon);
  EXPECT_FALSE(live_);
  EXPECT_THAT(raised_, testing::ElementsAre(5));
  answer(FenceAnswer::kUnreachable);
  EXPECT_FALSE(live_);
  wait(100);
  EXPECT_GE(raised_.size(), 2u);
  answer(FenceAnswer::kMine);
  ASSERT_TRUE(live_);
  EXPECT_EQ(live_->generation, Generation(5));
  EXPECT_TRUE(live_->announce);
  EXPECT_TRUE(live_->reissue);
}

TEST_F(BackupTest, WhatIsSentAgainIsWhatThePrimaryDidNotSayItHadSent) {
  follow();
  log({key(10)});
  for (u64 position : {3, 6, 9}) backup_.made(packet(position), now_);
  step();
  EXPECT_EQ(released_, 0u) << "R4";
  receive(KeepAlive{now_, door::Position(5)});
  consume(1);
  lose_primary();
  answer(ArbiterAnswer::kWon);
  answer(FenceAnswer::kMine);
  ASSERT_TRUE(live_);
  ASSERT_EQ(live_->send_again.size(), 2u);
  EXPECT_EQ(live_->send_again[0].position, door::Position(6));
}

TEST_F(BackupTest, SilenceCountsAsLossAndKeepAlivesDoNotLetItCome) {  // R8
  follow();
  for (int i = 0; i < 50; ++i) {
    wait(20);
    receive(KeepAlive{now_, {}});
  }
  EXPECT_EQ(backup_.state(), Backup::State::kFollowing);
  wait(290);
  EXPECT_EQ(backup_.state(), Backup::State::kFollowing);
  wait(30);
  EXPECT_EQ(backup_.state(), Backup::State::kArbitrating);
}

TEST_F(BackupTest, SpeaksEvenWhereThereIsNothingToAcknowledge) {  // R8: the primary's messages may be late
  follow();
  const std::size_t before = sent_.size();
  wait(250);
  EXPECT_GE(sent_.size() - before, 6u);
  EXPECT_TRUE(std::holds_alternative<Ack>(sent_.back()));
}

TEST_F(BackupTest, ItsOwnPauseIsNotThePrimarysSilence) {  // R8
  follow();
  now_ += 5000 * kMs;
  backup_.tick(now_);
  step();
  EXPECT_EQ(backup_.state(), Backup::State::kFollowing);
}

TEST_F(BackupTest, TheLoserHalts) {  // R5
  follow();
  lose_primary();
  answer(ArbiterAnswer::kLost);
  EXPECT_FALSE(halted_.empty());
  EXPECT_FALSE(live_);
}

TEST_F(BackupTest, WaitsForAnArbiterThatCannotBeReached) {  // R5
  follow();
  lose_primary();
  for (int i = 0; i < 5; ++i) {
    answer(ArbiterAnswer::kUnreachable);
    wait(200);
  }
  EXPECT_GE(asked_.size(), 5u);
  EXPECT_FALSE(live_);
}

TEST_F(BackupTest, AMachineThatEndedIsNotBroughtBack) {  // R10
  follow();
  log({key(10), end(15)});
  lose_primary();
  consume(1);
  EXPECT_TRUE(asked_.empty());
  consume(1);
  EXPECT_TRUE(stopped_);
  wait(2000);
  EXPECT_TRUE(asked_.empty());
  EXPECT_FALSE(live_);
}

TEST_F(BackupTest, ADivergenceIsSaidToThePrimaryAndEndsThisSide) {
  follow();
  backup_.diverged("they differ at 7", now_);
  step();
  const auto* leaving = std::get_if<Leaving>(&sent_.back());
  ASSERT_TRUE(leaving);
  EXPECT_TRUE(leaving->diverged);
  EXPECT_EQ(halted_, "they differ at 7");
  lose_primary();
  wait(2000);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(BackupTest, AGapInTheLogCountsAsLoss) {
  follow();
  receive(Log{3, now_, {}, {key(10)}});
  EXPECT_TRUE(buffer_.empty());
  EXPECT_THAT(asked_, testing::ElementsAre(5));
}

TEST_F(BackupTest, NothingIsHeardAfterThePrimaryCountsAsLost) {
  follow();
  lose_primary();
  log({key(10)});
  EXPECT_TRUE(buffer_.empty());
}

TEST_F(BackupTest, ADroppedBackupClaimsNothing) {  // R9
  follow();
  receive(Dropped{"too slow"});
  lose_primary();
  wait(2000);
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(halted_, "too slow");
}

TEST_F(BackupTest, AStrangerWhoDoesNotSayHelloIsNotFollowed) {
  receive(KeepAlive{});
  EXPECT_FALSE(halted_.empty());
  EXPECT_FALSE(live_);
}

}  // namespace
}  // namespace pollux::failover
