#include "session/clock_discipline.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::session {
namespace {

using door::VirtualNs;

constexpr u64 kMs = 1'000'000;
constexpr u64 kSecond = 1000 * kMs;

// A machine's virtual clock and a host that runs it in slices.
struct Loop {
  ClockDiscipline clock;
  u64 host_ns = 5 * kSecond;
  double virtual_ns = 0;
  double rate = 20;
  u64 sent = 0;
  double worst_ns = 0;
  double largest_jump_ns = 0;

  explicit Loop(ClockTuning tuning = {}) : clock(tuning) {
    clock.start(host_ns, VirtualNs(0));
    rate = double(clock.rate()) / 4294967296.0;
  }
  double drift() const { return virtual_ns - double(clock.target(host_ns).value); }
  void slice(double host_ns_per_instruction) {
    const u64 count = clock.instructions_in(200'000);
    const u64 took = u64(double(count) * host_ns_per_instruction);
    host_ns += took;
    virtual_ns += double(count) * rate;
    clock.measure(took, count);
    if (const auto input = clock.running(host_ns, VirtualNs(u64(virtual_ns)))) {
      ++sent;
      ASSERT_GE(input->now.value + 1, u64(virtual_ns));
      largest_jump_ns = std::max(largest_jump_ns, double(input->now.value) - virtual_ns);
      virtual_ns = std::max(virtual_ns, double(input->now.value));
      rate = double(input->rate) / 4294967296.0;
    }
    worst_ns = std::max(worst_ns, std::abs(drift()));
  }
  void run_for(u64 ns, double host_ns_per_instruction) {
    for (const u64 end = host_ns + ns; host_ns < end;) slice(host_ns_per_instruction);
  }
};

TEST(ClockDiscipline, TimeFollowsASteadyHostWithFewInputs) {
  Loop loop;
  loop.run_for(kSecond, 16);
  EXPECT_LT(loop.worst_ns, 5.0 * kMs);
  loop.sent = 0;
  loop.worst_ns = 0;
  loop.run_for(10 * kSecond, 16);
  EXPECT_LT(loop.worst_ns, 2.5 * kMs);
  EXPECT_LT(loop.sent, 20u);
}

TEST(ClockDiscipline, TimeFollowsAHostWhoseSpeedChangesByAFactorOfFour) {
  Loop loop;
  Random random(1);
  for (int i = 0; i < 500; ++i) loop.run_for(random.below(40 * kMs), 10 + double(random.below(30)));
  EXPECT_LT(loop.worst_ns, 40.0 * kMs);
  EXPECT_LT(double(loop.sent), double(loop.host_ns) / kSecond * 100);
}

// The host runs others too: the machine has short bursts at full speed, and between them, in the middle of a slice,
// long waits. The rate is the mean over both, not the mean of what the slices seemed to take.
TEST(ClockDiscipline, TimeDoesNotRunAwayOnAHostThatIsShared) {
  Loop loop;
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    loop.run_for(2 * kMs + random.below(10 * kMs), 10);
    loop.slice(10 + double(random.below(80 * kMs)) / double(loop.clock.instructions_in(200'000)));
  }
  EXPECT_LT(loop.drift(), 60.0 * kMs);
  EXPECT_LT(loop.worst_ns, 250.0 * kMs);
}

TEST(ClockDiscipline, ASuspendedHostIsCaughtUpWithInBoundedJumps) {
  Loop loop;
  loop.run_for(kSecond, 20);
  loop.host_ns += 3 * kSecond;
  loop.largest_jump_ns = 0;
  loop.run_for(2 * kSecond, 20);
  EXPECT_LT(std::abs(loop.drift()), 5.0 * kMs);
  EXPECT_LE(loop.largest_jump_ns, 50.0 * kMs + 1);
}

TEST(ClockDiscipline, ALeadIsTakenBackBySlowingDown) {
  Loop loop;
  loop.run_for(kSecond, 20);
  loop.virtual_ns += 30.0 * kMs;
  loop.run_for(200 * kMs, 20);
  EXPECT_LT(std::abs(loop.drift()), 5.0 * kMs);
}

TEST(ClockDiscipline, AnInputThatWakesAnIdleMachineIsPrecededByTheTimeOfDay) {
  ClockDiscipline clock;
  clock.start(1000, VirtualNs(0));
  const auto input = clock.woken(1000 + 30 * kSecond, VirtualNs(7), door::kNever);
  ASSERT_TRUE(input);
  EXPECT_EQ(input->now, VirtualNs(30 * kSecond));
  EXPECT_EQ(clock.woken(1000 + 30 * kSecond, VirtualNs(7), VirtualNs(20 * kSecond))->now, VirtualNs(20 * kSecond));
  EXPECT_FALSE(clock.woken(2000, VirtualNs(999), door::kNever));  // a nap too short to matter
}

TEST(ClockDiscipline, DeadlinesAreOnTheHostsClock) {
  ClockDiscipline clock;
  clock.start(1000, VirtualNs(50));
  EXPECT_EQ(clock.host_time_of(VirtualNs(150)), 1100u);
  EXPECT_EQ(clock.host_time_of(VirtualNs(10)), 1000u);
  EXPECT_EQ(clock.host_time_of(door::kNever), ~u64{0});
}

TEST(ClockDiscipline, OneStrangeMeasurementDoesNotThrowTheRateOff) {
  ClockDiscipline clock;
  for (int i = 0; i < 1000; ++i) clock.measure(200'000, 10'000);
  const u64 before = clock.rate();
  clock.measure(kSecond, 10'000);  // the process was stopped meanwhile
  EXPECT_LE(clock.rate(), before * 2);
  clock.measure(0, 10'000'000);
  EXPECT_GE(clock.rate(), before / 2);
}

}  // namespace
}  // namespace pollux::session
