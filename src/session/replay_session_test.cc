// What a replay says of logs that do not fit their machine. That good logs are reproduced: tests/replay.
#include "session/replay_session.h"

#include <gtest/gtest.h>

#include "log/log_writer.h"
#include "machine/counter_machine.h"
#include "session/log_journal.h"
#include "session/log_source.h"
#include "session/scripted_world.h"

namespace pollux::session {
namespace {

using door::Position;
using machine::CounterConfig;
using machine::CounterMachine;

struct Script final : EntrySource {
  std::vector<Result<Next>> steps;
  std::size_t at = 0;
  Result<Next> next() override { return at < steps.size() ? steps[at++] : Result<Next>(Next(SourceEnd{})); }
};

RunReport replay(const CounterConfig& config, std::vector<Result<Next>> steps) {
  CounterMachine machine(config);
  Script script;
  script.steps = std::move(steps);
  return ReplaySession(machine, script).run();
}

Result<Next> entry(u64 position, log::Body body) { return Next(log::Entry{Position(position), std::move(body)}); }

TEST(ReplaySession, AMarkThatDiffersStopsItAndNamesPositionsAndComponent) {
  const RunReport report = replay({}, {entry(500, log::Mark{12345, {0xffff}}), entry(900, log::Reached{})});
  EXPECT_EQ(report.reason, StopReason::kDivergence);
  EXPECT_EQ(report.error.kind, ErrorKind::kDivergence);
  EXPECT_EQ(report.position, Position(500));
  EXPECT_EQ(report.error.sentence.find("the machine differs from its log at position 500 in counter: its digest is "), 0u)
      << report.error.sentence;
  EXPECT_NE(report.error.sentence.find("the log's is 0000000000003039; they agreed at position 0"), std::string::npos);
}

TEST(ReplaySession, AnEndThatDiffersIsADivergence) {
  EXPECT_EQ(replay({}, {entry(500, log::End{1})}).reason, StopReason::kDivergence);
}

TEST(ReplaySession, AMachineThatStopsBeforeItsLogIsADivergence) {
  CounterConfig config;
  config.power_off_at = 1000;
  const RunReport report = replay(config, {entry(2000, log::Reached{})});
  EXPECT_EQ(report.reason, StopReason::kDivergence);
  EXPECT_EQ(report.error.sentence, "the machine stopped at position 1000, but the log goes on to position 2000");
}

TEST(ReplaySession, ACompletionThatNobodyAskedForIsADivergence) {
  const RunReport report = replay({}, {entry(1, door::Input(door::DiskCompletionInput{0, 77, {}, {}}))});
  EXPECT_EQ(report.reason, StopReason::kDivergence);
  EXPECT_NE(report.error.sentence.find("request 77 of disk 0 at position 1"), std::string::npos);
}

TEST(ReplaySession, AnEntryBehindTheMachineIsADivergence) {
  const RunReport report = replay({}, {Next(NotYet{Position(100)}), entry(50, log::Reached{})});
  EXPECT_EQ(report.reason, StopReason::kDivergence);
  EXPECT_EQ(report.position, Position(100));
}

TEST(ReplaySession, ASourceThatCannotBeReadEndsItWithTheSourcesSentence) {
  const RunReport report =
      replay({}, {entry(100, log::Reached{}), fail(ErrorKind::kEnvironment, "the disk went away")});
  EXPECT_EQ(report.reason, StopReason::kError);
  EXPECT_EQ(report.error.sentence, "the disk went away");
  EXPECT_EQ(report.position, Position(100));
}

TEST(ReplaySession, ALogThatStartsAtACheckpointIsRefused) {
  log::LogWriter writer({"1", log::StartPoint::kCheckpoint, Position(5), "monday", {}});
  LogSource source(read_from(writer.take()));
  const auto opened = source.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().sentence,
            "the log goes on from checkpoint monday, but this program replays from power-on only");
}

TEST(LogJournal, ALogThatCannotBeWrittenIsFoundBeforeTheMachineRuns) {
  CounterMachine machine({});
  ScriptedWorld world(machine, 1);
  MemorySink sink;
  sink.room = 10;
  LogJournal journal(world, sink, {.pollux_version = "1", .configuration = machine.configuration()});
  EXPECT_FALSE(journal.open());
}

TEST(LogJournal, AMarkIsInTheSinkWhenItWasAppendedAndTheEndIsSynced) {
  CounterMachine machine({});
  ScriptedWorld world(machine, 1);
  MemorySink sink;
  LogJournal journal(world, sink, {.pollux_version = "1", .configuration = machine.configuration()});
  ASSERT_TRUE(journal.open());
  const std::size_t header = sink.bytes.size();
  ASSERT_TRUE(journal.append({Position(1), log::Reached{}}));
  EXPECT_EQ(sink.bytes.size(), header);
  ASSERT_TRUE(journal.append({Position(2), log::Mark{3, {}}}));
  EXPECT_GT(sink.bytes.size(), header);
  EXPECT_FALSE(sink.synced);
  ASSERT_TRUE(journal.close(Position(3), 4));
  EXPECT_TRUE(sink.synced);
  EXPECT_EQ(sink.bytes.size(), journal.log_bytes());
}

TEST(OutstandingDisk, KeepsTheGuestsOrderAndForgetsWhatIsCompleted) {
  OutstandingDisk disk;
  for (const u64 request : {7, 8, 9}) disk.note(door::OutputAt{Position(request), door::DiskOutput{0, request}});
  disk.note(door::OutputAt{Position(10), door::DiskOutput{1, 8}});
  disk.note(door::Input(door::DiskCompletionInput{0, 8}));
  disk.note(door::Input(door::ConsoleInput{}));
  ASSERT_EQ(disk.size(), 3u);
  EXPECT_EQ(std::get<door::DiskOutput>(disk.requests()[2].output).disk, 1u);
  EXPECT_EQ(disk.place({0, 9}), 1u);
  EXPECT_EQ(disk.place({0, 8}), disk.size());
}

}  // namespace
}  // namespace pollux::session
