// Each rule is taken away in turn, and its checker must see it within a few dozen seeds. Without this, a checker that
// never fails proves nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "suite.h"

namespace pollux::failover {

// The only maker of mutations (failover/mutations.h).
struct MutationTest {
  static Mutations with(Mutation mutation) {
    Mutations mutations;
    mutations.bits_ = 1u << u8(mutation);
    return mutations;
  }
};

}  // namespace pollux::failover

namespace pollux::simulation {
namespace {

using failover::Mutation;

struct Case {
  const char* name;
  Mutation mutation;
  std::vector<const char*> scenarios;
  const char* rule;
};

const Case kCases[] = {
    {"DeliverBeforeAppend", Mutation::kDeliverBeforeAppend, {"calm"}, "R1"},
    {"ReleaseWithoutAck", Mutation::kReleaseWithoutAck, {"calm"}, "R2"},
    {"ReleaseWithoutAckSeenFromOutside", Mutation::kReleaseWithoutAck, {"power_primary", "cut_link"}, "one machine"},
    {"RunPastTheLog", Mutation::kRunPastTheLog, {"calm"}, "R3"},
    {"BackupPerforms", Mutation::kBackupPerforms, {"calm"}, "R4"},
    {"GoLiveWithoutArbiter", Mutation::kGoLiveWithoutArbiter, {"cut_link"}, "R5"},
    {"LoserGoesOn", Mutation::kLoserGoesOn, {"cut_link"}, "R5"},
    {"LoserGoesOnSeenFromOutside", Mutation::kLoserGoesOn, {"cut_link"}, "one machine"},
    {"PromoteBeforeConsuming", Mutation::kPromoteBeforeConsuming, {"slow_disk", "kill_primary", "tiny_buffer"}, "R6"},
    {"ForgetOutstanding", Mutation::kForgetOutstanding, {"slow_disk", "power_primary"}, "R6"},
    {"ForgetAnnouncement", Mutation::kForgetAnnouncement, {"kill_primary"}, "R6"},
    {"ForgetFence", Mutation::kForgetFence, {"kill_primary", "slow_disk_kill"}, "R7"},
    {"ForgetKeepAlive", Mutation::kForgetKeepAlive, {"idle"}, "R8"},
    {"ForgetKeepAliveOfTheBackup", Mutation::kForgetKeepAlive, {"bad_network"}, "R8"},
    {"ForgetHeartbeat", Mutation::kForgetHeartbeat, {"calm"}, "R8"},
    {"DeafToHeartbeats", Mutation::kDeafToHeartbeats, {"stuck_channel"}, "R8"},
    {"SuspectEarly", Mutation::kSuspectEarly, {"bad_network"}, "R8"},
    {"CountOwnPause", Mutation::kCountOwnPause, {"pause_backup", "pause_primary"}, "R8"},
    {"NeverSuspect", Mutation::kNeverSuspect, {"power_primary", "power_backup"}, "R8"},
    {"UnboundedBuffer", Mutation::kUnboundedBuffer, {"tiny_buffer"}, "R9"},
    {"NeverSlowDown", Mutation::kNeverSlowDown, {"slow_backup"}, "R9"},
    {"ForgetEnd", Mutation::kForgetEnd, {"power_off"}, "R10"},
    {"IgnoreOverlaps", Mutation::kIgnoreOverlaps, {"slow_disk", "calm"}, "R13"},
    {"IgnoreOverlapsSeenOnTheDisk", Mutation::kIgnoreOverlaps, {"slow_disk"}, "R14"},
    {"BackupReads", Mutation::kBackupReads, {"calm"}, "R14"},
};

class MutationIsSeen : public testing::TestWithParam<Case> {};

TEST_P(MutationIsSeen, WithinFiftySeeds) {
  const Case& c = GetParam();
  auto scenarios = load_scenarios();
  ASSERT_TRUE(scenarios) << scenarios.error().sentence;
  std::string others;
  for (u64 seed = 1; seed <= 50; ++seed) {
    for (const sim::Scenario& scenario : *scenarios) {
      if (std::ranges::none_of(c.scenarios, [&](const char* name) { return scenario.name == name; })) continue;
      const Verdict verdict = run_checked(scenario, seed, failover::MutationTest::with(c.mutation));
      for (const Failure& failure : verdict.failures) {
        if (failure.rule == c.rule) return;
        others = failure.what;
      }
    }
  }
  FAIL() << "nobody saw it as " << c.rule << (others.empty() ? "" : "; instead: " + others);
}

INSTANTIATE_TEST_SUITE_P(Rules, MutationIsSeen, testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace pollux::simulation
