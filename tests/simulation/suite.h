// One simulated run under all checkers, and the scenarios to run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/pair_run.h"

namespace pollux::simulation {

struct Failure {
  std::string rule;  // of the first checker, in the order of the rules, that failed
  std::string what;
  u64 at_ns = 0;
};

struct Verdict {
  std::vector<Failure> failures;  // empty: every rule was kept
  u64 answered = 0;
  u64 virtual_ns = 0;
  bool failover = false;  // a side went live alone or was promoted
};

// trace, when given, gets a line for everything that happens; turning: whether it is one of the few that decide a fate.
using TraceLine = std::function<void(u64 at_ns, bool turning, const std::string&)>;
Verdict run_checked(const sim::Scenario& scenario, u64 seed, failover::Mutations mutations = {},
                    const TraceLine& trace = {});

// From tests/simulation/scenarios, sorted by name. An error names file and line.
Result<std::vector<sim::Scenario>> load_scenarios();

}  // namespace pollux::simulation
