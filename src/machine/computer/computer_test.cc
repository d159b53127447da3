#include "machine/computer/computer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/computer/factory.h"
#include "machine/computer/tick_guest.h"
#include "machine/test_door.h"

namespace pollux::machine::computer {
namespace {

using door::Position;

Config config() {
  Config c;
  c.memory_bytes = 2 << 20;
  c.kernel = tick_guest();
  c.disks = {{1 << 20, false, "disk"}};
  c.nics = {{{2, 0, 0, 0, 0, 1}}};
  return c;
}

std::unique_ptr<Computer> computer() {
  auto made = Computer::create(config(), memory::heap_region(config().memory_bytes), *engine_named("interpret"));
  EXPECT_TRUE(made) << made.error().sentence;
  return std::move(*made);
}

// One run's inputs at fixed positions, as a log would have them.
struct Script {
  std::vector<std::pair<u64, door::Input>> inputs = {
      {0, door::WallClockInput{1'700'000'000'000'000'000}},
      {0, door::EntropyInput{Bytes(100, std::byte{5})}},
      {5'000, door::ConsoleInput{Bytes(3, std::byte{'a'})}},
      {300'000, door::ClockInput{door::VirtualNs(30'000'000), u64{11} << 32}},
      {400'003, door::ConsoleInput{Bytes(1, std::byte{'b'})}},
      {600'000, door::PacketInput{0, Bytes(64)}},
      {700'000, door::LinkInput{0, false}},
      {800'000, door::PowerButtonInput{}},
      {900'000, door::DeviceInput{door::DeviceChange::kResizeDisk, 0, 2 << 20}},
  };
  std::size_t next = 0;
};

std::vector<door::OutputAt> drive(Computer& machine, Script& script, u64 end, u64 slice_seed) {
  Random slices(slice_seed);
  std::vector<door::OutputAt> outputs;
  while (machine.position().value < end) {
    u64 until = std::min(end, machine.position().value + 1 + slices.below(5000));
    for (; script.next < script.inputs.size(); ++script.next) {
      const auto& [at, input] = script.inputs[script.next];
      if (at > machine.position().value) {
        until = std::min(until, at);
        break;
      }
      machine.deliver(TestDoor::key(), input);
    }
    const RunStop stop = machine.run(Position(until));
    for (auto& output : machine.take_outputs()) outputs.push_back(std::move(output));
    if (stop == RunStop::kOff) break;
    if (stop == RunStop::kIdle && machine.position().value < until) machine.skip_idle();
  }
  return outputs;
}

constexpr u64 kEnd = 1'500'000;

TEST(Computer, ARunEndsEarlyWhereItIsAskedTo) {
  const auto machine = computer();
  const std::atomic<bool> asked = true;
  EXPECT_EQ(machine->run(Position(kEnd), {&asked, 1000}), RunStop::kEarly);
  EXPECT_GT(machine->position().value, 0u);
  EXPECT_LE(machine->position().value, 1000u);
}

TEST(Computer, IsTheSameHoweverItsRunIsSliced) {
  Script script;
  const auto one = computer();
  const auto outputs = drive(*one, script, kEnd, 1);
  EXPECT_GE(outputs.size(), 2u);
  for (u64 seed = 2; seed < 5; ++seed) {
    Script again;
    const auto other = computer();
    EXPECT_EQ(drive(*other, again, kEnd, seed), outputs);
    EXPECT_EQ(other->component_digests(), one->component_digests());
    EXPECT_EQ(other->digest(), one->digest());
  }
}

TEST(Computer, AnInputAtAnotherPositionMakesAnotherDigest) {
  Script script, moved;
  moved.inputs[3].first += 1;  // the clock
  const auto one = computer(), other = computer();
  drive(*one, script, 300'010, 1);  // later the next tick of the timer makes the two equal again, and rightly
  drive(*other, moved, 300'010, 1);
  EXPECT_NE(one->digest(), other->digest());
}

TEST(Computer, GoesOnFromASavedStateAsTheOriginal) {
  for (const u64 cut : {7'777u, 123'456u, 400'003u, 650'001u}) {
    Script script;
    const auto original = computer(), copy = computer();
    drive(*original, script, cut, 1);
    SaveVisitor save;
    original->visit(save);
    const Bytes bytes = save.take();
    LoadVisitor load(bytes);
    copy->visit(load);
    ASSERT_TRUE(load.ok());
    EXPECT_EQ(copy->position(), original->position());
    EXPECT_EQ(copy->component_digests(), original->component_digests()) << "cut at " << cut;
    Script rest = script;
    EXPECT_EQ(drive(*original, script, kEnd, 2), drive(*copy, rest, kEnd, 3));
    EXPECT_EQ(copy->component_digests(), original->component_digests()) << "cut at " << cut;
    EXPECT_EQ(copy->digest(), original->digest());
  }
}

TEST(Computer, AnEqualMachineIsMadeFromItsConfiguration) {
  const auto one = computer();
  ComputerFactory factory(*engine_named("interpret"), [](u64 bytes) -> Result<memory::Region> {
    return memory::heap_region(bytes);
  });
  const auto other = factory.make(encode(config()));
  ASSERT_TRUE(other);
  EXPECT_EQ((*other)->digest(), one->digest());
  EXPECT_FALSE(factory.make(as_bytes("no configuration at all")));
}

TEST(Computer, EndsWithTheCodeThatTheGuestGives) {
  const auto machine = computer();
  machine->deliver(TestDoor::key(), door::ConsoleInput{Bytes(1, std::byte{'q'})});
  Script none{.inputs = {}};
  const auto outputs = drive(*machine, none, kEnd, 1);
  ASSERT_FALSE(outputs.empty());
  EXPECT_EQ(outputs.back().output, door::Output(door::PowerOutput{door::PowerEvent::kOff, 'q'}));
  EXPECT_EQ(outputs.back().position, machine->position());
  EXPECT_EQ(machine->run(Position(kEnd)), RunStop::kOff);
}

TEST(Computer, ATripleFaultIsAReset) {
  Config c = config();
  // lidt [empty]; ud2: with no room for vector 6, a double fault, a triple fault
  const u8 code[] = {0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x1e, 0x00, 0x7d, 0x0f, 0x0b};
  std::fill_n(c.kernel.begin(), 510, std::byte{0});
  std::memcpy(c.kernel.data(), code, sizeof code);
  auto machine = Computer::create(c, memory::heap_region(c.memory_bytes), *engine_named("interpret"));
  ASSERT_TRUE(machine);
  EXPECT_EQ((*machine)->run(Position(100)), RunStop::kOff);
  const auto outputs = (*machine)->take_outputs();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[1].output, door::Output(door::PowerOutput{door::PowerEvent::kReset, 0}));
}

TEST(Computer, StopsWhereItIsTold) {
  const auto machine = computer();
  machine->run(Position(1234));
  machine->deliver(TestDoor::key(), door::StopInput{});
  EXPECT_EQ(machine->run(Position(5000)), RunStop::kOff);
  EXPECT_EQ(machine->position(), Position(1234));
}

TEST(Computer, AnImpossibleConfigurationIsRefusedWithASentence) {
  const auto sentence = [](auto change) {
    Config c = config();
    change(c);
    const auto made = Computer::create(c, memory::heap_region(c.memory_bytes), *engine_named("interpret"));
    return made ? std::string() : made.error().sentence;
  };
  EXPECT_NE(sentence([](Config& c) { c.kernel = Bytes(100); }), "");
  EXPECT_NE(sentence([](Config& c) { c.disks[0].size_bytes = 1; }), "");
  EXPECT_FALSE(engine_named("steam"));
}

}  // namespace
}  // namespace pollux::machine::computer
