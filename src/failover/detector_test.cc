#include "failover/detector.h"

#include <gtest/gtest.h>

namespace pollux::failover {
namespace {

constexpr u64 kMs = 1'000'000;
constexpr Timing kTiming{.timeout_ns = 300 * kMs};

// When a side that looks every tick_ms finds out that nothing comes any more.
u64 found_ms(u64 tick_ms) {
  Detector detector(kTiming, 0);
  u64 now_ms = 0;
  while (!detector.suspects(now_ms * kMs)) detector.tick((now_ms += tick_ms) * kMs);
  return now_ms;
}

TEST(DetectorTest, SilenceIsFoundOutWithinATickOfTheTimeout) {
  EXPECT_GT(found_ms(15), 300u);
  EXPECT_LE(found_ms(15), 315u);
}

TEST(DetectorTest, ABusyHostThatSeldomLooksFindsOutLaterButDoes) {
  EXPECT_LE(found_ms(45), 11 * 45u);
  EXPECT_LE(found_ms(200), 11 * 200u);
}

TEST(DetectorTest, AShortPauseOfItsOwnIsNoSilenceEither) {
  Detector detector(kTiming, 0);
  u64 now_ns = 0;
  for (int i = 0; i < 10; ++i) detector.tick(now_ns += 15 * kMs);  // 150 ms without a word
  detector.tick(now_ns += 140 * kMs);
  detector.tick(now_ns += 15 * kMs);
  EXPECT_FALSE(detector.suspects(now_ns)) << "of 305 ms this side ran 165, and a late tick counts as 30";
}

TEST(DetectorTest, EitherWayIsASignOfLifeButAChannelThatStandsStillIsNotForEver) {
  Detector detector(kTiming, 0);
  u64 now_ns = 0;
  while (now_ns < 900 * kMs) {
    detector.tick(now_ns += 15 * kMs);
    detector.heard_heartbeat(now_ns);
    EXPECT_FALSE(detector.suspects(now_ns));
  }
  detector.tick(now_ns += 15 * kMs);
  EXPECT_TRUE(detector.suspects(now_ns));
}

}  // namespace
}  // namespace pollux::failover
