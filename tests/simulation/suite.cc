#include "suite.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "check_liveness.h"
#include "check_one_machine.h"
#include "check_r10_power_off.h"
#include "check_r13_overlaps.h"
#include "check_r14_shared_disk.h"
#include "check_r1_log_first.h"
#include "check_r2_output_rule.h"
#include "check_r3_never_ahead.h"
#include "check_r4_backup_is_silent.h"
#include "check_r5_one_lives.h"
#include "check_r6_promotion.h"
#include "check_r7_fence.h"
#include "check_r8_detection.h"
#include "check_r9_bounded.h"
#include "log/codec.h"

namespace pollux::simulation {
namespace {

std::vector<std::unique_ptr<Checker>> all_checkers() {
  std::vector<std::unique_ptr<Checker>> checkers;
  checkers.push_back(std::make_unique<LogFirst>());
  checkers.push_back(std::make_unique<OutputRule>());
  checkers.push_back(std::make_unique<NeverAhead>());
  checkers.push_back(std::make_unique<BackupIsSilent>());
  checkers.push_back(std::make_unique<OneLives>());
  checkers.push_back(std::make_unique<PromotionInOrder>());
  checkers.push_back(std::make_unique<Fenced>());
  checkers.push_back(std::make_unique<Detection>());
  checkers.push_back(std::make_unique<Bounded>());
  checkers.push_back(std::make_unique<PowerOff>());
  checkers.push_back(std::make_unique<Overlaps>());
  checkers.push_back(std::make_unique<SharedDisk>());
  checkers.push_back(std::make_unique<OneMachine>());
  checkers.push_back(std::make_unique<Liveness>());
  return checkers;
}

class WentLive final : public sim::Observer {
 public:
  void live(Side, failover::Generation, door::Position) override { happened = true; }
  bool happened = false;
};

const char* name(failover::ArbiterAnswer answer) {
  switch (answer) {
    case failover::ArbiterAnswer::kWon: return "won";
    case failover::ArbiterAnswer::kLost: return "lost";
    default: return "unreachable";
  }
}

// One line for everything that decides something.
class Trace final : public sim::Observer {
 public:
  explicit Trace(const TraceLine& out) : out_(out) {}
  void begin(const sim::Scheduler& scheduler) override { scheduler_ = &scheduler; }
  void delivered(Side side, door::Position at, const door::Input& input) override {
    say(side, std::string("delivered ") + door::name(input) + " at " + text(at));
  }
  void made(Side side, const door::OutputAt& output) override {
    say(side, std::string("made ") + door::name(output.output) + request(output.output) + " at " + text(output.position));
  }
  void finished(Side side, door::Position at) override { turn(side, "machine ended at " + text(at)); }
  void sent(Side side, const failover::Message& message) override { say(side, "sends " + describe(message)); }
  void arrived(Side side, const failover::Message& message) override { say(side, "gets " + describe(message)); }
  void beat(Side side, const failover::Heartbeat& beat) override { say(side, "beats " + text(beat)); }
  void heard(Side side, const failover::Heartbeat& beat) override { say(side, "hears beat " + text(beat)); }
  void released(Side side, const door::OutputAt& output) override {
    say(side, std::string("releases ") + door::name(output.output) + " of " + text(output.position));
  }
  void performed(Side side, const door::Output& output) override {
    say(side, std::string("lets out ") + door::name(output) + request(output));
  }
  void announced(Side side) override { turn(side, "announces itself"); }
  void claimed(Side side, failover::Generation generation, failover::ArbiterAnswer answer) override {
    turn(side, "claims generation " + std::to_string(generation.value) + ": " + name(answer));
  }
  void raised(Side side, failover::Generation g) override { turn(side, "raises the fence to " + std::to_string(g.value)); }
  void disk_landed(Side side, failover::Generation g, const door::DiskOutput& r) override {
    say(side, "disk did request " + std::to_string(r.request) + " of generation " + std::to_string(g.value));
  }
  void live(Side side, failover::Generation g, door::Position at) override {
    turn(side, "lives with generation " + std::to_string(g.value) + " from " + text(at));
  }
  void event(Side side, const failover::Event& e) override {
    turn(side, std::string("says ") + failover::name(e.kind) + ": " + e.sentence);
  }
  void ended(Side side, Ended how) override {
    turn(side, how == Ended::kStopped ? "ended in order" : how == Ended::kHalted ? "halted" : "died");
  }
  void fault(std::string_view what) override { line("fault: " + std::string(what), true); }

 private:
  static std::string request(const door::Output& output) {
    const auto* disk = std::get_if<door::DiskOutput>(&output);
    return disk ? " " + std::to_string(disk->request) : "";
  }
  static std::string text(const failover::Heartbeat& beat) { return std::to_string(beat.sent_ns / 1000); }
  static std::string text(door::Position position) { return simulation::text(position); }
  static std::string describe(const failover::Message& message) {
    std::string what = failover::name(message);
    if (const auto* log = std::get_if<failover::Log>(&message)) {
      what += " " + std::to_string(log->first) + ":";
      for (const log::Entry& entry : log->entries) what += std::string(" ") + log::name(entry.body) + "@" + text(entry.position);
    }
    if (const auto* ack = std::get_if<failover::Ack>(&message)) {
      what += " " + std::to_string(ack->received) + ", consumed " + std::to_string(ack->consumed);
    }
    return what;
  }
  void say(Side side, const std::string& what) { line(std::string(sim::name(side)) + " " + what, false); }
  void turn(Side side, const std::string& what) { line(std::string(sim::name(side)) + " " + what, true); }
  void line(const std::string& what, bool turning) {
    char time[32];
    std::snprintf(time, sizeof time, "%12.3f ms  ", double(scheduler_->now_ns()) / 1e6);
    out_(scheduler_->now_ns(), turning, time + what);
  }
  const TraceLine& out_;
  const sim::Scheduler* scheduler_ = nullptr;
};

}  // namespace

Verdict run_checked(const sim::Scenario& scenario, u64 seed, failover::Mutations mutations,
                    const TraceLine& trace) {
  const auto checkers = all_checkers();
  WentLive went_live;
  Trace tracer(trace);
  std::vector<sim::Observer*> observers{&went_live};
  if (trace) observers.push_back(&tracer);
  for (const auto& checker : checkers) observers.push_back(checker.get());
  sim::PairRun run(scenario, seed, observers, mutations);
  const sim::Outcome outcome = run.run();
  Verdict verdict{.answered = outcome.answered, .virtual_ns = outcome.virtual_ns, .failover = went_live.happened};
  for (const auto& checker : checkers) {
    checker->conclude(outcome);
    if (!checker->failure().empty()) verdict.failures.push_back({checker->rule(), checker->failure(), checker->failed_ns()});
  }
  return verdict;
}

Result<std::vector<sim::Scenario>> load_scenarios() {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(POLLUX_SCENARIOS)) paths.push_back(file.path());
  std::ranges::sort(paths);
  std::vector<sim::Scenario> scenarios;
  for (const auto& path : paths) {
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    Result<sim::Scenario> scenario = sim::parse_scenario(path.stem().string(), content.str());
    if (!scenario) return pass(scenario);
    scenarios.push_back(std::move(*scenario));
  }
  return scenarios;
}

}  // namespace pollux::simulation
