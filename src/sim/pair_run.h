// One run of a simulated pair: a scenario, a seed, somebody who looks. Everything is in one thread and a function of
// the arguments.
//
//   PairRun run(scenario, seed, observers);
//   Outcome outcome = run.run();
//
// After the scenario's time come the ceasing of all misfortunes and a calm in which a side with storage must go on.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sim/backup_side.h"
#include "sim/client.h"
#include "sim/primary_side.h"
#include "sim/scenario.h"

namespace pollux::sim {

struct Outcome {
  std::array<std::optional<Ended>, 2> ended;    // before the calm was over
  std::array<bool, 2> living{};                 // at the end: a process that is there
  std::optional<Side> calm_progress;            // a side whose machine ran on in the second half of the calm, live
  Bytes disk;
  u64 answered = 0;
  u64 virtual_ns = 0;
};

class PairRun {
 public:
  static constexpr u64 kCalmNs = 3'000'000'000;  // ten timeouts

  PairRun(Scenario scenario, u64 seed, std::vector<Observer*> observers, failover::Mutations mutations = {});
  ~PairRun();

  Outcome run();

 private:
  void plan(const Fault& fault);
  void begin(const Fault& fault, u64 duration_ns);
  void kill(Side side, bool silently);
  void pause(Side side, u64 duration_ns);
  void boot(Side side);
  void ended(Side side, Ended how);
  void run_until(u64 time_ns);

  Scenario scenario_;
  Shared shared_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<SharedStorage> storage_;
  std::unique_ptr<PrimarySide> primary_;
  std::unique_ptr<BackupSide> backup_;
  std::unique_ptr<Client> client_;
  Outcome outcome_;
  bool calm_ = false;
};

}  // namespace pollux::sim
