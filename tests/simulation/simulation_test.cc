// Whole pairs from seeds, under every scenario in turn. Exit 0: every rule was kept in every run.
//
//   simulation_test [--runs N] [--seed S] [--scenario NAME] [--trace]
//
// A failure prints the checkers' sentences, the line that reproduces it and the last events before its end.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "base/checksum.h"
#include "suite.h"

using namespace pollux;

namespace {

struct Options {
  u64 runs = 2000;
  u64 seed = 1;
  std::string scenario;
  bool trace = false;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (!std::strcmp(argv[i], "--runs") && has_value) {
      options.runs = std::strtoull(argv[++i], nullptr, 10);
    } else if (!std::strcmp(argv[i], "--seed") && has_value) {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (!std::strcmp(argv[i], "--scenario") && has_value) {
      options.scenario = argv[++i];
    } else if (!std::strcmp(argv[i], "--trace")) {
      options.trace = true;
    } else {
      std::fprintf(stderr, "usage: simulation_test [--runs N] [--seed S] [--scenario NAME] [--trace]\n");
      return false;
    }
  }
  return true;
}

void explain(const sim::Scenario& scenario, u64 seed, const simulation::Verdict& verdict) {
  std::printf("scenario %s, seed %llu broke a rule:\n", scenario.name.c_str(), static_cast<unsigned long long>(seed));
  for (const auto& failure : verdict.failures) std::printf("  %s\n", failure.what.c_str());
  // What turned the pair's fate, and all of the last moments before the first failure.
  u64 failed_ns = ~u64{0};
  for (const auto& failure : verdict.failures) failed_ns = std::min(failed_ns, failure.at_ns);
  std::deque<std::string> last;
  std::printf("what happened:\n");
  simulation::run_checked(scenario, seed, {}, [&](u64 at_ns, bool turning, const std::string& line) {
    if (turning) std::printf("  %s\n", line.c_str());
    if (at_ns > failed_ns) return;
    last.push_back(line);
    if (last.size() > 40) last.pop_front();
  });
  std::printf("the last before the failure:\n");
  for (const std::string& line : last) std::printf("  %s\n", line.c_str());
  std::printf("all of it again: simulation_test --scenario %s --seed %llu --runs 1 --trace\n", scenario.name.c_str(),
              static_cast<unsigned long long>(seed));
}

// A run is a function of its seed, or no failure could be reproduced: the same again gives the same events.
bool runs_the_same_twice(const sim::Scenario& scenario, u64 seed) {
  u64 digests[2] = {};
  for (u64& digest : digests) {
    simulation::run_checked(scenario, seed, {},
                            [&](u64, bool, const std::string& line) { digest = checksum(as_bytes(line), digest); });
  }
  return digests[0] == digests[1];
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return 2;
  auto scenarios = simulation::load_scenarios();
  if (!scenarios) {
    std::fprintf(stderr, "%s\n", scenarios.error().sentence.c_str());
    return 2;
  }
  if (!options.scenario.empty()) {
    std::erase_if(*scenarios, [&](const sim::Scenario& s) { return s.name != options.scenario; });
  }
  if (scenarios->empty()) {
    std::fprintf(stderr, "there is no scenario of that name\n");
    return 2;
  }
  u64 answered = 0, failovers = 0;
  double seconds = 0;
  for (u64 run = 0; run < options.runs; ++run) {
    const sim::Scenario& scenario = (*scenarios)[run % scenarios->size()];
    const u64 seed = options.seed + run / scenarios->size();
    const auto print = [](u64, bool, const std::string& line) { std::printf("%s\n", line.c_str()); };
    const auto verdict = options.trace ? simulation::run_checked(scenario, seed, {}, print)
                                       : simulation::run_checked(scenario, seed);
    if (!verdict.failures.empty()) {
      explain(scenario, seed, verdict);
      return 1;
    }
    constexpr u64 kTwice = 101;
    if (run % kTwice == 0 && !runs_the_same_twice(scenario, seed)) {
      std::printf("scenario %s, seed %llu does not run the same twice\n", scenario.name.c_str(),
                  static_cast<unsigned long long>(seed));
      return 1;
    }
    answered += verdict.answered;
    failovers += verdict.failover;
    seconds += double(verdict.virtual_ns) * 1e-9;
  }
  std::printf("%llu runs kept every rule: %.0f simulated seconds, %llu failovers, %llu client requests answered\n",
              static_cast<unsigned long long>(options.runs), seconds, static_cast<unsigned long long>(failovers),
              static_cast<unsigned long long>(answered));
  return 0;
}
