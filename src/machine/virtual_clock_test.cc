#include "machine/virtual_clock.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::machine {
namespace {

using door::Position;
using door::VirtualNs;

TEST(VirtualClock, TheFirstPositionAtATimeIsTheSmallestOne) {
  Random random(7);
  for (int round = 0; round < 20000; ++round) {
    VirtualClock clock(1 + (random.next() >> (random.below(40) + 20)));
    clock.set(Position(random.below(1u << 30)), VirtualNs(random.next() >> 4), 1 + (random.next() >> (20 + random.below(40))));
    const Position start(u64{1} << 30);
    const VirtualNs time = clock.at(start) + 1 + random.below(u64{1} << random.below(40));
    const Position first = clock.first_at(time);
    if (first == door::kEndOfTime) continue;  // no position is late enough
    ASSERT_GE(clock.at(first), time) << "round " << round;
    ASSERT_LT(clock.at(Position(first.value - 1)), time) << "round " << round;
  }
}

TEST(VirtualClock, AnOlderClockInputDoesNotTakeTimeBack) {
  VirtualClock clock(u64{10} << 32);
  clock.set(Position(100), VirtualNs(5), u64{1} << 32);
  EXPECT_EQ(clock.at(Position(100)), VirtualNs(1000));
  EXPECT_EQ(clock.at(Position(101)), VirtualNs(1001));
}

TEST(VirtualClock, ATimeBeyondAllPositionsIsNeverReached) {
  const VirtualClock clock(1);
  EXPECT_EQ(clock.first_at(door::kNever), door::kEndOfTime);
  EXPECT_EQ(clock.first_at(VirtualNs(u64{1} << 63)), door::kEndOfTime);
}

}  // namespace
}  // namespace pollux::machine
