#include "session/live_session.h"

#include <gtest/gtest.h>

#include "log/codec.h"
#include "machine/counter_machine.h"
#include "session/replay_session.h"
#include "session/scripted_world.h"

namespace pollux::session {
namespace {

using door::Position;
using machine::CounterConfig;
using machine::CounterMachine;

constexpr u64 kMs = 1'000'000;
constexpr u64 kSecond = 1000 * kMs;

// Keeps what a session told its journal; checks R1 and the order of positions.
struct WitnessJournal final : Journal {
  machine::Machine& machine;
  world::World& world;
  std::vector<log::Entry> entries;
  std::vector<door::OutputAt> outputs;
  Position last;
  u64 polls = 0;
  u64 hold_polls = 0;  // polls still to answer with "hold"
  std::optional<Error> error_at_append;
  bool closed = false;

  WitnessJournal(machine::Machine& m, world::World& w) : machine(m), world(w) {}

  Result<void> append(const log::Entry& entry) override {
    if (error_at_append) return std::unexpected(*error_at_append);
    EXPECT_EQ(entry.position, machine.position()) << "R1: appended where it will be delivered";
    EXPECT_GE(entry.position, last);
    last = entry.position;
    entries.push_back(entry);
    return {};
  }
  Result<void> emit(door::OutputAt output) override {
    EXPECT_LE(last, output.position);
    last = std::max(last, output.position);
    world.perform(output.output);
    outputs.push_back(std::move(output));
    return {};
  }
  Result<bool> poll(Position position) override {
    EXPECT_EQ(position, machine.position());
    ++polls;
    if (hold_polls == 0) return false;
    --hold_polls;
    return true;
  }
  Result<void> close(Position position, u64 digest) override {
    EXPECT_EQ(position, machine.position());
    EXPECT_EQ(digest, machine.digest());
    closed = true;
    return {};
  }
  template <class T>
  std::vector<std::pair<Position, T>> all() const {
    std::vector<std::pair<Position, T>> found;
    for (const auto& entry : entries)
      if (const auto* input = std::get_if<door::Input>(&entry.body))
        if (const auto* t = std::get_if<T>(input)) found.emplace_back(entry.position, *t);
    return found;
  }
};

struct Live {
  CounterMachine machine;
  ScriptedWorld world;
  WitnessJournal journal;
  LiveSession session;

  explicit Live(CounterConfig config = {}, LiveOptions options = {}, u64 seed = 1)
      : machine(config), world(machine, seed), journal(machine, world), session(machine, world, journal, options) {}
  RunReport run() {
    EXPECT_TRUE(session.power_on());
    return session.run();
  }
};

LiveOptions virtual_clock(u64 seed = 5) {
  LiveOptions options;
  options.clock = ClockMode::kVirtual;
  options.seed = seed;
  return options;
}

TEST(LiveSession, PowerOnDeliversDateEntropyAndClockAtPositionZero) {
  Live live;
  live.world.at(kMs, door::StopInput{});
  const RunReport report = live.run();
  EXPECT_EQ(report.reason, StopReason::kStopped);
  ASSERT_GE(live.journal.entries.size(), 4u);
  const char* const names[] = {"wall-clock", "entropy", "clock"};
  for (int i = 0; i < 3; ++i) {
    const log::Entry& entry = live.journal.entries[std::size_t(i)];
    EXPECT_EQ(entry.position, Position(0));
    EXPECT_STREQ(door::name(std::get<door::Input>(entry.body)), names[i]);
  }
  EXPECT_EQ(live.journal.all<door::EntropyInput>()[0].second.bytes.size(), 256u);
  EXPECT_TRUE(live.journal.closed);
}

TEST(LiveSession, InputsArriveWithinASliceAndOutputsReachTheWorldInOrder) {
  Live live;
  live.world.random_script(300, kSecond);
  const RunReport report = live.run();
  EXPECT_EQ(report.reason, StopReason::kStopped);
  EXPECT_EQ(live.world.performed.size(), live.journal.outputs.size());
  EXPECT_GT(live.journal.outputs.size(), 300u);
  EXPECT_GT(report.counters.inputs[1], 50u);
  EXPECT_EQ(report.counters.instructions, report.position.value);
}

TEST(LiveSession, VirtualTimeFollowsTheHostWhileTheMachineRunsAndSleeps) {
  Live live;
  live.world.watch_time = true;
  live.world.wake_late_ns = 200'000;
  Random random(2);
  for (u64 t = 0; t < 5 * kSecond; t += kMs + random.below(30 * kMs)) live.world.at(t, door::PacketInput{0, Bytes(60)});
  live.world.at(5 * kSecond, door::StopInput{});
  live.run();
  EXPECT_LT(live.world.worst_lead_ns, i64(5 * kMs));
  EXPECT_LT(live.world.worst_lag_ns, i64(5 * kMs));
}

TEST(LiveSession, AnIdleMachineMakesAlmostNoLog) {
  CounterConfig config;
  config.mean_gap = 300;                     // a few thousand instructions a wake, then idle for 50 ms on average
  config.max_idle_ns = 100 * kMs;
  config.disk_blocks = 0;
  config.packets = config.console = config.entropy = 0;
  Live live(config);
  live.world.wake_late_ns = 100'000;
  live.world.at(20 * kSecond, door::StopInput{});
  const RunReport report = live.run();
  EXPECT_LT(live.journal.all<door::ClockInput>().size(), 10u);
  u64 bytes = 0;
  for (const auto& entry : live.journal.entries) bytes += log::encode_entries({&entry, 1}).size() + 16;
  EXPECT_LT(bytes * 8 / 20, 20'000u) << "bits a second";
  EXPECT_GT(report.counters.idle_ns, 19 * kSecond);
}

TEST(LiveSession, AnInputThatWakesALongSleeperIsPrecededByAClock) {
  CounterConfig config;
  config.max_idle_ns = 1000 * kSecond;
  Live live(config);
  live.world.at(100 * kSecond, door::PacketInput{0, Bytes(60)});
  live.world.at(200 * kSecond, door::StopInput{});
  live.run();
  const auto packets = live.journal.all<door::PacketInput>();
  ASSERT_EQ(packets.size(), 1u);
  bool clock_before = false;
  for (const auto& [position, clock] : live.journal.all<door::ClockInput>())
    if (position == packets[0].first) clock_before = clock.now.value >= 99 * kSecond;
  EXPECT_TRUE(clock_before);
}

TEST(LiveSession, MarksAreAtMostAHundredMillisecondsOfVirtualTimeApartWhileItRuns) {
  CounterConfig config;
  config.max_idle_ns = 5 * kMs;
  Live live(config);
  live.world.at(3 * kSecond, door::StopInput{});
  const RunReport report = live.run();
  EXPECT_GE(report.counters.marks, 30u);
  EXPECT_LE(report.counters.marks, 61u);
}

TEST(LiveSession, AnIdleMachineIsNotMarkedTwiceAtOnePosition) {
  CounterConfig config;
  config.max_idle_ns = 1000 * kSecond;
  Live live(config);
  for (u64 t = kSecond; t < 60 * kSecond; t += kSecond) live.world.at(t, door::ClockInput{door::VirtualNs(0), 1});
  live.world.at(60 * kSecond, door::StopInput{});
  const RunReport report = live.run();
  EXPECT_LT(report.counters.marks, 10u);
}

TEST(LiveSession, WithTheVirtualClockTheRunDoesNotDependOnTheHostsSpeed) {
  CounterConfig config;
  config.power_off_at = 3'000'000;
  std::vector<RunReport> reports;
  for (const u64 seed : {1, 2, 3}) {
    Live live(config, virtual_clock(), seed);
    live.world.ns_per_instruction = 10.0 * double(seed);
    live.world.disk_latency_ns = 50'000 * seed;
    live.world.unix_at_zero = seed;
    reports.push_back(live.run());
    EXPECT_EQ(reports.back().reason, StopReason::kPowerOff);
    EXPECT_EQ(live.journal.all<door::ClockInput>().size(), 1u);
    EXPECT_GT(live.journal.all<door::DiskCompletionInput>().size(), 100u);
    EXPECT_GT(live.journal.all<door::EntropyInput>().size(), 10u);
  }
  EXPECT_EQ(reports[0].digest, reports[1].digest);
  EXPECT_EQ(reports[0].digest, reports[2].digest);
  Live other(config, virtual_clock(6));
  EXPECT_NE(other.run().digest, reports[0].digest) << "another seed is another run";
}

TEST(LiveSession, WithTheVirtualClockIdleTimeIsSkippedAtOnce) {
  CounterConfig config;
  config.max_idle_ns = 100 * kSecond;
  config.power_off_at = 1'000'000;
  Live live(config, virtual_clock());
  const RunReport report = live.run();
  EXPECT_GT(live.machine.now().value, 100 * kSecond);
  EXPECT_EQ(report.counters.idle_ns, 0u);
}

TEST(LiveSession, AGuestThatReadsEntropyWithoutEndIsHeldToItsBudget) {
  struct Greedy final : machine::Machine {
    CounterMachine inner{CounterConfig{}};
    machine::RunStop run(Position until, EarlyStop = {}) override { return inner.run(until); }
    void deliver(machine::DeliverKey key, const door::Input& input) override { inner.deliver(key, input); }
    std::vector<door::OutputAt> take_outputs() override { return inner.take_outputs(); }
    Position position() const override { return inner.position(); }
    door::VirtualNs now() const override { return inner.now(); }
    door::VirtualNs idle_until() const override { return inner.idle_until(); }
    void skip_idle() override { inner.skip_idle(); }
    u64 entropy_wanted() const override { return 1 << 20; }
    u64 digest() override { return inner.digest(); }
    std::vector<std::pair<std::string, u64>> component_digests() override { return {}; }
    void visit(Visitor& v) override { inner.visit(v); }
  } machine;
  ScriptedWorld world(machine, 1);
  WitnessJournal journal(machine, world);
  LiveSession session(machine, world, journal);
  world.at(10 * kSecond, door::StopInput{});
  ASSERT_TRUE(session.power_on());
  session.run();
  u64 bytes = 0;
  for (const auto& [position, entropy] : journal.all<door::EntropyInput>()) bytes += entropy.bytes.size();
  EXPECT_GT(bytes, 100'000u);
  EXPECT_LT(bytes, 180'000u);
}

// A machine that looks outside as often as it is told to, and digests slowly; it notes when a packet reaches it.
struct Looking final : machine::Machine {
  CounterMachine inner;
  ScriptedWorld world{*this, 1};
  u64 digest_ns = 0;
  bool digested = false;
  u64 runs_to_the_end = 0;
  std::vector<u64> packets_ns;

  explicit Looking(const CounterConfig& config) : inner(config) {}
  machine::RunStop run(Position until, EarlyStop early) override {
    while (early && inner.position() < until) {
      const machine::RunStop stop = inner.run(std::min(until, inner.position() + early.look_every));
      if (stop != machine::RunStop::kPosition) return stop;
      world.now_ns();
      if (early.is_asked_at(inner.position().value)) return machine::RunStop::kEarly;
    }
    ++runs_to_the_end;
    return inner.run(until);
  }
  bool prepare_digest(EarlyStop early) override {
    for (u64 ns = 0; ns < digest_ns; ns += 10'000) {
      world.pass(10'000);
      world.now_ns();
      if (early.is_asked()) return false;
    }
    digested = true;
    return true;
  }
  void deliver(machine::DeliverKey key, const door::Input& input) override {
    if (std::holds_alternative<door::PacketInput>(input)) packets_ns.push_back(world.now_ns());
    inner.deliver(key, input);
  }
  std::vector<door::OutputAt> take_outputs() override { return inner.take_outputs(); }
  Position position() const override { return inner.position(); }
  door::VirtualNs now() const override { return inner.now(); }
  door::VirtualNs idle_until() const override { return inner.idle_until(); }
  void skip_idle() override { inner.skip_idle(); }
  u64 digest() override { return inner.digest(); }
  std::vector<std::pair<std::string, u64>> component_digests() override { return {}; }
  void visit(Visitor& v) override { inner.visit(v); }
};

// Never idle, and without outputs that would end its slices.
CounterConfig busy() {
  CounterConfig config;
  config.mean_gap = u64{1} << 40;
  config.max_idle_ns = 0;
  return config;
}

// Runs the machine to the end; each packet has reached it at once.
void expect_no_packet_waits(Looking& machine, const LiveOptions& options, u64 packets, u64 gap_ns, u64 end_ns) {
  WitnessJournal journal(machine, machine.world);
  LiveSession session(machine, machine.world, journal, options);
  for (u64 n = 1; n <= packets; ++n) machine.world.at(n * gap_ns, door::PacketInput{0, Bytes(60)});
  machine.world.at(end_ns, door::StopInput{});
  ASSERT_TRUE(session.power_on());
  EXPECT_EQ(session.run().reason, StopReason::kStopped);
  ASSERT_EQ(machine.packets_ns.size(), packets);
  for (u64 n = 1; n <= packets; ++n) EXPECT_LT(machine.packets_ns[n - 1], n * gap_ns + 200'000) << "packet " << n;
}

TEST(LiveSession, APacketThatArrivesWhileTheMachineRunsEndsTheSlice) {
  Looking machine(busy());
  LiveOptions options;
  options.slice_ns = 10 * kSecond;
  expect_no_packet_waits(machine, options, 20, 7 * kMs, 200 * kMs);
}

TEST(LiveSession, ASliceEndsWhereTheMachineLooks) {
  Looking machine(busy());
  expect_no_packet_waits(machine, {}, 2, 50 * kMs, 200 * kMs);
  EXPECT_EQ(machine.runs_to_the_end, 0u);
}

TEST(LiveSession, APacketThatArrivesWhileTheMachineIsDigestedDoesNotWaitForTheDigest) {
  Looking machine(busy());
  machine.digest_ns = 30 * kMs;
  expect_no_packet_waits(machine, {}, 40, 5 * kMs, 400 * kMs);
  EXPECT_TRUE(machine.digested) << "and it is digested when nothing arrives";
}

TEST(LiveSession, ADiskThatAnswersTwiceIsHeardOnce) {
  Live live;
  live.world.complete_twice = true;
  live.world.at(kSecond, door::StopInput{});
  EXPECT_EQ(live.run().reason, StopReason::kStopped);  // the machine checks that each request is answered once
}

TEST(LiveSession, WhileTheJournalHoldsItTheMachineStandsStillAndInputsWait) {
  LiveOptions options;
  options.max_idle_wait_ns = kMs;
  Live live({}, options);
  live.journal.hold_polls = 100;
  live.world.at(50 * kMs, door::PacketInput{0, Bytes(60)});
  live.world.at(300 * kMs, door::StopInput{});
  const RunReport report = live.run();
  EXPECT_GE(report.counters.held_ns, 90 * kMs);
  ASSERT_EQ(live.journal.all<door::PacketInput>().size(), 1u);
  EXPECT_EQ(live.journal.all<door::PacketInput>()[0].first, Position(0));
}

TEST(LiveSession, AStopEndsAHeldMachineToo) {
  LiveOptions options;
  options.max_idle_wait_ns = kMs;
  Live live({}, options);
  live.journal.hold_polls = ~u64{0};
  live.world.at(50 * kMs, door::StopInput{});
  EXPECT_EQ(live.run().reason, StopReason::kStopped);
}

TEST(LiveSession, ARequestedStopEndsTheRun) {
  Live live;
  live.session.request_stop();
  EXPECT_EQ(live.run().reason, StopReason::kStopped);
  EXPECT_EQ(live.journal.all<door::StopInput>().size(), 1u);
}

TEST(LiveSession, PowerOffEndsTheRunWithItsDigest) {
  CounterConfig config;
  config.power_off_at = 100'000;
  Live live(config);
  const RunReport report = live.run();
  EXPECT_EQ(report.reason, StopReason::kPowerOff);
  EXPECT_EQ(report.position, Position(100'000));
  EXPECT_EQ(report.digest, live.machine.digest());
  EXPECT_EQ(summary(report).substr(0, 29), "power-off at position 100000,");
}

TEST(LiveSession, AnInputThatTheJournalRefusesIsNotDelivered) {
  Live live;
  ASSERT_TRUE(live.session.power_on());
  live.journal.error_at_append = Error{ErrorKind::kEnvironment, "the disk under the log is full"};
  live.world.at(10 * kMs, door::PacketInput{0, Bytes(60)});
  const RunReport report = live.session.run();
  EXPECT_EQ(report.reason, StopReason::kError);
  EXPECT_EQ(report.error.sentence, "the disk under the log is full");
  EXPECT_EQ(live.machine.counter(), 0u);
  EXPECT_FALSE(live.journal.closed);
}

TEST(LiveSession, APromotedMachineIssuesItsDiskRequestsAgainAndKeepsItsDate) {
  CounterConfig config;
  config.max_idle_ns = 0;
  Live primary(config);
  primary.world.disk_latency_ns = 1000 * kSecond;  // never answers
  primary.world.at(kSecond, door::StopInput{});
  primary.run();
  // The same machine again, along the journal, up to before the stop.
  CounterMachine machine(config);
  OutstandingDisk outstanding;
  ScriptedWorld world(machine, 9);
  struct Lines final : EntrySource {
    std::vector<log::Entry> entries;
    std::size_t at = 0;
    Result<Next> next() override {
      if (at == entries.size()) return Next(SourceEnd{"the primary is gone"});
      return Next(entries[at++]);
    }
  } source;
  source.entries = primary.journal.entries;
  source.entries.pop_back();
  ReplaySession replay(machine, source);
  const RunReport replayed = replay.run();
  ASSERT_EQ(replayed.reason, StopReason::kLogEnd) << replayed.error.sentence;
  EXPECT_EQ(replayed.warning, "the primary is gone");
  ASSERT_EQ(replay.outstanding_disk().size(), CounterMachine::kMaxInFlight);
  EXPECT_EQ(replay.wall_clock_unix_ns(), primary.world.unix_at_zero);

  world.unix_at_zero = primary.world.unix_at_zero + 2 * kSecond - 1000;  // a second later than the machine's own time
  WitnessJournal journal(machine, world);
  LiveSession session(machine, world, journal);
  ASSERT_TRUE(session.promote({replay.outstanding_disk().requests(), replay.wall_clock_unix_ns()}));
  EXPECT_EQ(world.performed.size(), CounterMachine::kMaxInFlight);
  world.at(2 * kSecond, door::StopInput{});
  const door::Position from = machine.position();
  const RunReport report = session.run();
  EXPECT_EQ(report.reason, StopReason::kStopped);
  EXPECT_GT(report.position, from);
  EXPECT_EQ(report.counters.instructions, report.position - from);
  EXPECT_NEAR(double(machine.now().value), double(world.unix_ns() - primary.world.unix_at_zero), 5.0 * kMs);
}

}  // namespace
}  // namespace pollux::session
