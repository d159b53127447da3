// Runs the bare-metal guests: each must print PASSED and leave by the exit port with code 0. Each runs whole, and again
// cut into random slices, and both runs must end with equal digests at equal positions.

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/computer/computer.h"
#include "machine/test_door.h"

namespace pollux::machine::computer {
namespace {

struct Guest {
  const char* name;
  u32 cpus = 1;
};

struct Outcome {
  std::string console;
  u32 code = ~0u;
  u64 position = 0;
  u64 digest = 0;
};

constexpr u64 kBudget = 200'000'000;

Bytes read_guest(const std::string& name) {
  std::ifstream file(std::string(GUEST_FOLDER) + "/" + name + ".elf", std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  const ByteSpan bytes = as_bytes(content);
  return {bytes.begin(), bytes.end()};
}

// slice(): how many instructions the next run may execute.
template <class Slice>
Outcome run_guest(const Guest& guest, Slice slice) {
  Config config{.memory_bytes = 64 << 20, .cpus = guest.cpus, .kernel = read_guest(guest.name)};
  auto machine = Computer::create(config, memory::heap_region(config.memory_bytes), *engine_named("interpret"));
  Outcome outcome;
  if (!machine) {
    ADD_FAILURE() << machine.error().sentence;
    return outcome;
  }
  Computer& computer = **machine;
  while (computer.position().value < kBudget) {
    const RunStop stop = computer.run(computer.position() + slice());
    for (const door::OutputAt& made : computer.take_outputs()) {
      if (const auto* text = std::get_if<door::ConsoleOutput>(&made.output)) outcome.console += as_text(text->bytes);
      if (const auto* power = std::get_if<door::PowerOutput>(&made.output)) outcome.code = power->code;
    }
    if (stop == RunStop::kOff) break;
    if (stop == RunStop::kIdle) {
      if (computer.idle_until() == door::kNever) break;
      computer.skip_idle();
    }
  }
  outcome.position = computer.position().value;
  outcome.digest = computer.digest();
  return outcome;
}

class BareMetal : public testing::TestWithParam<Guest> {};

TEST_P(BareMetal, PassesAndDoesNotDependOnSlicing) {
  const Outcome whole = run_guest(GetParam(), [] { return u64{10'000'000}; });
  EXPECT_EQ(whole.code, 0u) << whole.console;
  EXPECT_EQ(whole.console, "PASSED\n");
  Random random(7);
  const Outcome sliced = run_guest(GetParam(), [&random] { return 1 + random.below(random.chance(0.5) ? 3 : 1000); });
  EXPECT_EQ(sliced.console, whole.console);
  EXPECT_EQ(sliced.position, whole.position);
  EXPECT_EQ(sliced.digest, whole.digest);
}

INSTANTIATE_TEST_SUITE_P(Guests, BareMetal,
                         testing::Values(Guest{"paging"}, Guest{"faults"}, Guest{"interrupts"}, Guest{"modes"},
                                         Guest{"compute"}, Guest{"smp", 1}, Guest{"smp", 2}, Guest{"smp", 4},
                                         Guest{"smp", 8}),
                         [](const auto& named) {
                           const Guest& guest = named.param;
                           return guest.name + (guest.cpus > 1 ? "_on_" + std::to_string(guest.cpus) : std::string());
                         });

}  // namespace
}  // namespace pollux::machine::computer
