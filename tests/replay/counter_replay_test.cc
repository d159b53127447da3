// Records runs of the counter machine in random worlds and replays their logs: with other slices, cut, damaged, fed
// over time. Each test runs over many seeds; a failure names the seed.
#include <gtest/gtest.h>

#include "log/log_reader.h"
#include "machine/counter_machine.h"
#include "session/live_session.h"
#include "session/log_journal.h"
#include "session/log_source.h"
#include "session/replay_session.h"
#include "session/scripted_world.h"

namespace pollux::session {
namespace {

using door::Position;
using machine::CounterConfig;
using machine::CounterMachine;

constexpr u64 kMs = 1'000'000;
constexpr u64 kSeeds = 60;

struct Recording {
  Bytes log;
  RunReport report;
  std::vector<door::Output> outputs;
  Bytes final_state;
};

CounterConfig some_config(Random& random) {
  CounterConfig config;
  config.seed = random.next();
  config.mean_gap = 10 + random.below(3000);
  config.max_idle_ns = random.chance(0.2) ? 0 : random.below(50 * kMs);
  if (random.chance(0.3)) config.power_off_at = 1 + random.below(3'000'000);
  return config;
}

Bytes state_of(machine::Machine& machine) {
  SaveVisitor save;
  machine.visit(save);
  return save.take();
}

// room: of the disk under the log, in bytes.
Recording record(u64 seed, std::size_t room = ~std::size_t{0}) {
  Random random(seed);
  CounterMachine machine(some_config(random));
  ScriptedWorld world(machine, seed);
  world.ns_per_instruction = 10 + double(random.below(100));
  world.disk_latency_ns = 1 + random.below(5 * kMs);
  world.wake_late_ns = random.below(kMs);
  world.random_script(random.below(400), 10 * kMs + random.below(1000 * kMs));
  MemorySink sink;
  sink.room = room;
  LogJournal journal(world, sink, {"test", log::StartPoint::kPowerOn, {}, "", machine.configuration()});
  LiveOptions options;
  if (random.chance(0.3)) options.clock = ClockMode::kVirtual;
  options.slice_ns = 1000 + random.below(2 * kMs);
  LiveSession session(machine, world, journal, options);
  EXPECT_TRUE(journal.open());
  EXPECT_TRUE(session.power_on());
  Recording recording;
  recording.report = session.run();
  recording.log = sink.bytes;
  recording.outputs = world.performed;
  recording.final_state = state_of(machine);
  return recording;
}

struct Replayed {
  RunReport report;
  std::vector<door::Output> outputs;
  Bytes final_state;
};

// slices: how many instructions at once, at most; drawn anew for each. 0: as many as there are.
Replayed replay(const Bytes& log, u64 slices = 0, u64 seed = 0, Position until = door::kEndOfTime) {
  LogSource source(read_from(log));
  EXPECT_TRUE(source.open());
  auto machine = machine::CounterMachineFactory().make(source.header().configuration);
  EXPECT_TRUE(machine);
  Replayed replayed;
  ReplayOptions options;
  options.until = until;
  options.on_output = [&](const door::OutputAt& output) { replayed.outputs.push_back(output.output); };
  ReplaySession session(**machine, source, options);
  Random random(seed);
  while (session.advance(slices == 0 ? ~u64{0} : 1 + random.below(slices)) != ReplayState::kDone) {
  }
  replayed.report = session.report();
  replayed.final_state = state_of(**machine);
  return replayed;
}

struct Contents {
  log::LogHeader header;
  std::vector<log::Entry> entries;
  std::size_t header_bytes = 0;
};

Contents read(const Bytes& log) {
  Contents contents;
  log::LogReader reader;
  for (const std::byte byte : log) {  // one by one, to see where the header ends
    if (reader.header()) break;
    reader.feed({&byte, 1});
    ++contents.header_bytes;
  }
  contents.header = *reader.header();
  reader.feed(ByteSpan(log).subspan(contents.header_bytes));
  while (auto entry = reader.next()) contents.entries.push_back(std::move(*entry));
  return contents;
}

Bytes write(const Contents& contents) {
  log::LogWriter writer(contents.header);
  for (const log::Entry& entry : contents.entries) writer.add(entry);
  writer.flush();
  return writer.take();
}

TEST(Replay, ARecordedRunIsReproducedWithAnySlices) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Recording recording = record(seed);
    ASSERT_EQ(recording.report.error.sentence, "");
    for (const u64 slices : {u64{0}, u64{50}, u64{5000}}) {
      const Replayed again = replay(recording.log, slices, seed);
      ASSERT_EQ(again.report.error.sentence, "") << slices;
      EXPECT_EQ(again.report.warning, "");
      EXPECT_EQ(again.report.reason, recording.report.reason);
      EXPECT_EQ(again.report.position, recording.report.position);
      EXPECT_EQ(again.report.digest, recording.report.digest);
      EXPECT_EQ(again.report.counters.inputs, recording.report.counters.inputs);
      EXPECT_EQ(again.report.counters.outputs, recording.report.counters.outputs);
      EXPECT_EQ(again.report.counters.skips, recording.report.counters.skips);
      EXPECT_EQ(again.report.counters.marks, recording.report.counters.marks + 1) << "and the digest at the end";
      EXPECT_TRUE(again.outputs == recording.outputs);
      EXPECT_EQ(again.final_state, recording.final_state);
    }
  }
}

TEST(Replay, StopsAtThePositionAskedFor) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Recording recording = record(seed);
    Random random(seed);
    const Position until(random.below(recording.report.position.value));
    const Replayed one = replay(recording.log, 0, 0, until);
    const Replayed other = replay(recording.log, 100, seed, until);
    EXPECT_EQ(one.report.reason, StopReason::kPositionReached);
    EXPECT_EQ(one.report.position, until);
    EXPECT_EQ(one.report.digest, other.report.digest);
    EXPECT_EQ(one.final_state, other.final_state);
  }
}

TEST(Replay, ACutLogIsReplayedToItsLastGoodFrameAndSaysSo) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Recording recording = record(seed);
    Random random(seed);
    const std::size_t header_bytes = read(recording.log).header_bytes;
    recording.log.resize(header_bytes + random.below(recording.log.size() - header_bytes));
    const Replayed again = replay(recording.log);
    EXPECT_EQ(again.report.error.sentence, "");
    EXPECT_EQ(again.report.reason, StopReason::kLogEnd);
    EXPECT_NE(again.report.warning, "");
    EXPECT_LE(again.report.position, recording.report.position);
  }
}

TEST(Replay, ADamagedLogIsReplayedToItsLastGoodFrameAndNeverDiverges) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Recording recording = record(seed);
    Random random(seed);
    const std::size_t header_bytes = read(recording.log).header_bytes;
    recording.log[header_bytes + random.below(recording.log.size() - header_bytes)] ^= std::byte(1 + random.below(255));
    const Replayed again = replay(recording.log);
    EXPECT_EQ(again.report.reason, StopReason::kLogEnd) << again.report.error.sentence;
    EXPECT_NE(again.report.warning.find("damaged"), std::string::npos) << again.report.warning;
  }
}

TEST(Replay, AFullDiskUnderTheLogEndsTheRunAndTheLogIsGoodUpToThere) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Bytes whole = record(seed).log;
    const std::size_t header_bytes = read(whole).header_bytes;
    const Recording recording = record(seed, header_bytes + (whole.size() - header_bytes) / 2);
    EXPECT_EQ(recording.report.reason, StopReason::kError);
    EXPECT_EQ(recording.report.error.sentence, "the disk under the log is full");
    const Replayed again = replay(recording.log);
    EXPECT_EQ(again.report.reason, StopReason::kLogEnd) << again.report.error.sentence;
    EXPECT_NE(again.report.warning, "");
  }
}

TEST(Replay, AnInputThatWasLostChangedOrMovedIsADivergence) {
  u64 tried = 0;
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Contents contents = read(record(seed).log);
    std::vector<log::Entry>& entries = contents.entries;
    Random random(seed);
    // Not the stop: without it the machine's state is the same.
    const std::size_t at = random.below(entries.size() - 2);
    const auto* input = std::get_if<door::Input>(&entries[at].body);
    if (!input || std::holds_alternative<door::StopInput>(*input)) continue;
    switch (random.below(3)) {
      case 0: entries.erase(entries.begin() + std::ptrdiff_t(at)); break;
      case 1: entries[at].body = door::Input(door::ConsoleInput{Bytes(3)}); break;
      default:
        if (at == 0 || entries[at].position == entries[at - 1].position) continue;
        entries[at].position = Position(entries[at].position.value - 1);
    }
    const Replayed again = replay(write(contents));
    EXPECT_EQ(again.report.reason, StopReason::kDivergence) << at;
    EXPECT_EQ(again.report.error.kind, ErrorKind::kDivergence);
    EXPECT_NE(again.report.error.sentence.find("position"), std::string::npos);
    ++tried;
  }
  EXPECT_GT(tried, kSeeds / 4);
}

TEST(Replay, AForeignFileIsRefusedBeforeAMachineIsMade) {
  LogSource source(read_from(Bytes(1000, std::byte{42})));
  const auto opened = source.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kFormat);
  EXPECT_EQ(opened.error().sentence, "this file is not a Pollux log");
}

// Entries that come over time, as a backup gets them (R3).
struct Trickle final : EntrySource {
  std::vector<log::Entry> entries;
  std::size_t given = 0;
  std::size_t known = 0;  // entries that have arrived
  Position reached;
  bool over = false;

  Result<Next> next() override {
    if (given < known) return Next(entries[given++]);
    if (over) return Next(SourceEnd{});
    return Next(NotYet{reached});
  }
};

TEST(Replay, AReplayThatIsFedOverTimeNeverPassesWhatItKnows) {
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Recording recording = record(seed);
    const Contents contents = read(recording.log);
    Trickle source;
    source.entries = contents.entries;
    auto machine = machine::CounterMachineFactory().make(contents.header.configuration);
    ReplaySession session(**machine, source);
    Random random(seed);
    ReplayState state = ReplayState::kWaiting;
    while (state != ReplayState::kDone) {
      if (state == ReplayState::kWaiting) {
        EXPECT_EQ(session.position(), source.reached) << "it runs as far as it may";
        source.known = std::min(source.entries.size(), source.known + random.below(5));
        source.over = source.known == source.entries.size();
        if (source.known > 0) source.reached = std::max(source.reached, source.entries[source.known - 1].position);
        // Somewhere before the next entry, as a Reached would tell.
        if (!source.over && random.chance(0.5))
          source.reached += random.below(source.entries[source.known].position - source.reached + 1);
      }
      state = session.advance(1 + random.below(10'000));
      ASSERT_LE(session.position(), source.reached);
    }
    EXPECT_EQ(session.report().reason, recording.report.reason) << session.report().error.sentence;
    EXPECT_EQ(session.report().digest, recording.report.digest);
  }
}

}  // namespace
}  // namespace pollux::session
