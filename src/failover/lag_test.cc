#include "failover/lag.h"

#include <gtest/gtest.h>

namespace pollux::failover {
namespace {

constexpr u64 kMs = 1'000'000;

// A backup that executes at the given share of full speed follows a primary under the controller's hand.
struct Settled {
  double speed;
  double lag_ms;
  double peak_ms;
  int turns;  // how often the speed's direction changed after the first minute
};

Settled follow(double backup_speed) {
  SpeedController controller({});
  double lag_ms = 0, peak = 0;
  double last = 1;
  int direction = 0, turns = 0;
  for (u64 ms = 0; ms < 300'000; ms += 10) {
    controller.tick(u64(lag_ms * double(kMs)), ms * kMs);
    lag_ms = std::max(0.0, lag_ms + 10 * (controller.speed() - backup_speed));
    peak = std::max(peak, lag_ms);
    const int now = controller.speed() > last ? 1 : controller.speed() < last ? -1 : 0;
    if (now != 0 && now != direction && ms > 60'000) ++turns;
    if (now != 0) direction = now;
    last = controller.speed();
  }
  return {controller.speed(), lag_ms, peak, turns};
}

TEST(SpeedController, ABackupThatKeepsUpIsNeverWaitedFor) { EXPECT_EQ(follow(1.05).speed, 1); }

TEST(SpeedController, ASlowBackupSettlesAtItsOwnSpeedAndASlightLag) {
  for (double speed : {0.9, 0.7, 0.5}) {
    const Settled settled = follow(speed);
    EXPECT_NEAR(settled.speed, speed, 0.1) << speed;
    EXPECT_LT(settled.lag_ms, 2000) << speed;
    EXPECT_LT(settled.peak_ms, 5000) << speed;
    EXPECT_LT(settled.turns, 40) << speed << ": it swings";
  }
}

TEST(SpeedController, SpeedFallsByAFewPerCentAtATime) {
  SpeedController controller({});
  controller.tick(2000 * kMs, 1000 * kMs);
  EXPECT_NEAR(controller.speed(), 0.97, 1e-9);
  controller.tick(2000 * kMs, 1010 * kMs);
  EXPECT_NEAR(controller.speed(), 0.97, 1e-9) << "slowly";
}

TEST(SpeedController, PausesForTheShareThatTheSpeedLeaves) {
  SpeedController controller({});
  for (u64 ms = 1000; controller.speed() > 0.8; ms += 300) controller.tick(2000 * kMs, ms * kMs);
  u64 paused = 0;
  for (u64 us = 0; us < 1'000'000; us += 100) paused += controller.pause_ns(us * 1000) > 0;
  EXPECT_NEAR(double(paused) / 10'000, 1 - controller.speed(), 0.02);
}

TEST(LagMeter, ABackupThatHasEverythingHasNoLag) {
  LagMeter meter;
  meter.behind(100 * kMs);
  EXPECT_EQ(meter.lag_ns(150 * kMs), 50 * kMs);
  meter.behind(0);
  EXPECT_EQ(meter.lag_ns(500 * kMs), 0u);
}

}  // namespace
}  // namespace pollux::failover
