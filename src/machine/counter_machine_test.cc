#include "machine/counter_machine.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/test_door.h"

namespace pollux::machine {
namespace {

struct Driven {
  u64 digest;
  std::vector<door::OutputAt> outputs;
  bool operator==(const Driven&) const = default;
};

// Runs to position end in slices of random length, with a clock input every 10,000 positions and a completion for
// each request 500 positions after it.
Driven drive(const CounterConfig& config, u64 end, u64 slice_seed) {
  CounterMachine machine(config);
  Random slices(slice_seed);
  Driven driven{};
  std::vector<std::pair<u64, u64>> due;  // position, request
  u64 next_clock = 10'000;
  while (machine.position().value < end) {
    const u64 here = machine.position().value;
    if (here == next_clock) {
      machine.deliver(TestDoor::key(), door::ClockInput{door::VirtualNs(here * 130), u64{130} << 32});
      machine.deliver(TestDoor::key(), door::PacketInput{0, Bytes(10)});
      next_clock += 10'000;
    }
    while (!due.empty() && due.front().first == here) {
      machine.deliver(TestDoor::key(), door::DiskCompletionInput{0, due.front().second, door::DiskStatus::kOk, {}});
      due.erase(due.begin());
    }
    u64 until = std::min({end, next_clock, here + 1 + slices.below(3000)});
    if (!due.empty()) until = std::min(until, due.front().first);
    const RunStop stop = machine.run(door::Position(until));
    for (door::OutputAt& output : machine.take_outputs()) {
      if (const auto* disk = std::get_if<door::DiskOutput>(&output.output)) {
        due.emplace_back(output.position.value + 500, disk->request);
      }
      driven.outputs.push_back(std::move(output));
    }
    if (stop == RunStop::kOff) break;
    if (stop == RunStop::kIdle && machine.position().value < until) machine.skip_idle();
  }
  driven.digest = machine.digest();
  return driven;
}

TEST(CounterMachine, IsTheSameHoweverItsRunIsSliced) {
  for (u64 seed = 1; seed <= 20; ++seed) {
    const CounterConfig config{.seed = seed, .mean_gap = 300};
    const Driven one = drive(config, 400'000, 1);
    EXPECT_EQ(one, drive(config, 400'000, 2)) << "seed " << seed;
    EXPECT_GT(one.outputs.size(), 100u);
  }
}

TEST(CounterMachine, OfAnotherSeedIsAnother) {
  EXPECT_NE(drive({.seed = 1}, 100'000, 1).digest, drive({.seed = 2}, 100'000, 1).digest);
}

TEST(CounterMachine, AnswersAPacketWithTheRaisedCounter) {
  CounterMachine machine({.mean_gap = 1'000'000});
  machine.deliver(TestDoor::key(), door::PacketInput{0, {}});
  ASSERT_EQ(machine.run(door::Position(100)), RunStop::kOutput);
  const auto outputs = machine.take_outputs();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].position, door::Position(1));
  EXPECT_EQ(packet_counter(std::get<door::PacketOutput>(outputs[0].output).frame), 1u);
}

TEST(CounterMachine, PowersOffAtItsPositionWithAnOutput) {
  CounterMachine machine({.mean_gap = 1'000'000, .power_off_at = 5000});
  EXPECT_EQ(machine.run(door::Position(10'000)), RunStop::kOff);
  EXPECT_EQ(machine.position(), door::Position(5000));
  ASSERT_EQ(machine.take_outputs().size(), 1u);
  EXPECT_EQ(machine.run(door::Position(10'000)), RunStop::kOff);
}

TEST(CounterMachine, IsMadeAnewFromItsConfiguration) {
  const CounterConfig config{.seed = 9, .disk_blocks = 3};
  const auto made = CounterMachineFactory().make(encode(config));
  ASSERT_TRUE(made);
  EXPECT_EQ(dynamic_cast<const CounterMachine&>(**made).configuration(), encode(config));
  EXPECT_FALSE(CounterMachineFactory().make(as_bytes("something else")));
}

TEST(CounterMachine, GoesOnFromASavedStateAsTheOriginal) {
  const CounterConfig config{.seed = 3, .disk_blocks = 0};
  CounterMachine original(config), copy(config);
  const auto run_to = [](CounterMachine& machine, u64 end) {
    while (machine.position().value < end) {
      if (machine.run(door::Position(end)) == RunStop::kIdle) machine.skip_idle();
      machine.take_outputs();
    }
  };
  run_to(original, 100'000);
  SaveVisitor save;
  original.visit(save);
  const Bytes bytes = save.take();
  LoadVisitor load(bytes);
  copy.visit(load);
  EXPECT_TRUE(load.ok());
  run_to(original, 200'000);
  run_to(copy, 200'000);
  EXPECT_EQ(original.digest(), copy.digest());
}

}  // namespace
}  // namespace pollux::machine
