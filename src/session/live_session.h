// Runs a machine in the world: inputs as they arrive, appended to the journal before the machine is told (R1);
// outputs to the journal, which lets them out. The same loop runs, records and protects (journal.h).
//
//   LiveSession session(machine, world, journal, options);
//   session.power_on();              or session.promote(...), for a machine that a replay brought here
//   RunReport report = session.run();
//
// Invariants
//  1. append(entry) comes before deliver(entry), and every output made before it was emitted before it.
//  2. In host time, virtual time follows the host's clock as clock_discipline.h says.
//  3. In virtual time, a run without packets, keys and buttons is a function of configuration and seed: slices end
//     at fixed positions, disks answer at the position of the request, entropy comes from the seed.
//  4. While the machine runs, marks are at most mark_interval_ns of virtual time apart (plus one slice); twice that
//     where inputs arrive meanwhile, which do not wait for a digest.
// One thread, except request_stop(). It does not perform outputs and does not know files.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "base/random.h"
#include "machine/machine.h"
#include "session/clock_discipline.h"
#include "session/entropy_budget.h"
#include "session/journal.h"
#include "session/outstanding_disk.h"
#include "session/run_report.h"
#include "world/world.h"

namespace pollux::session {

enum class ClockMode : u8 {
  kHost,     // virtual time follows the host's
  kVirtual,  // virtual time is a function of the position alone; an idle machine's time jumps to its next timer
};

struct LiveOptions {
  ClockMode clock = ClockMode::kHost;
  // Virtual clock only: where entropy comes from, and the date at power-on (2026-01-01 00:00:00 UTC).
  u64 seed = 0;
  u64 virtual_unix_ns = 1'767'225'600'000'000'000;
  u64 virtual_rate = u64{10} << 32;  // 10 ns an instruction: a machine of 100 million instructions a second
  // Virtual time between marks.
  u64 mark_interval_ns = 50'000'000;
  // Host time that a slice should take.
  u64 slice_ns = 1'000'000;
  // Host time between two looks, while the machine runs, whether something has arrived, which ends the slice: how long
  // an input may have to wait.
  u64 look_ns = 50'000;
  // The longest wait of an idle machine before the journal is polled again. A journal that keeps time sets it.
  u64 max_idle_wait_ns = ~u64{0};
  ClockTuning tuning;
};

// What a promoted backup brings along from its replay (R6).
struct Promotion {
  std::vector<door::OutputAt> outstanding_disk;  // issued, not completed; performed again in this order
  u64 wall_clock_unix_ns = 0;                    // as delivered at power-on; 0: unknown
};

class LiveSession {
 public:
  LiveSession(machine::Machine& machine, world::World& world, Journal& journal, LiveOptions options = {});

  // Before run(): delivers wall clock, entropy and clock at position 0.
  Result<void> power_on();
  // Before run(), instead: the machine runs on from where it is. Its date follows this host's where that agrees
  // within a few seconds, and otherwise goes on from its own. Host clock only.
  Result<void> promote(const Promotion& promotion);

  // Until the machine or the operator stops it, or an error. The report has the error.
  RunReport run();

  // As if the operator had sent a StopInput. Thread-safe.
  void request_stop();

  const Counters& counters() const { return counters_; }

 private:
  bool is_virtual() const { return options_.clock == ClockMode::kVirtual; }
  bool needs_entropy() const { return machine_.entropy_wanted() > 0; }

  // One turn of the loop each; they end it by setting off_ or with an error.
  Result<void> loop();
  Result<void> run_slice();
  Result<void> be_idle();
  Result<void> be_held();

  // Waiting. Arrived inputs go to pending_.
  Result<void> poll_journal();
  void take_arrived(u64 deadline_ns);
  bool stop_is_pending() const;

  // The door in.
  Result<void> deliver_pending();
  Result<void> wake_for_input();
  Result<void> answer_disks_at_once();
  Result<void> give_entropy(u64 now_ns);
  Result<void> append_and_deliver(const door::Input& input);

  // The door out.
  Result<void> emit_outputs();
  Result<void> emit(door::OutputAt output);

  door::Position slice_end() const;
  EarlyStop early_stop() const;
  // Instructions in a slice, and between two looks.
  u64 slice() const;
  u64 look() const;
  Result<void> mark_if_due();
  RunReport report(Result<void> ended);

  machine::Machine& machine_;
  world::World& world_;
  Journal& journal_;
  LiveOptions options_;
  ClockDiscipline clock_;
  EntropyBudget entropy_budget_;
  Random seeded_;
  OutstandingDisk outstanding_;
  std::vector<door::Input> pending_;  // arrived, not yet delivered
  std::atomic<bool> stop_requested_{false};
  bool held_ = false;  // the journal does not let the machine run
  bool idle_ = false;  // the last run ended so, and nothing was delivered since
  bool off_ = false;
  bool stop_delivered_ = false;
  std::optional<door::PowerOutput> power_;
  door::Position start_;
  door::Position mark_position_;
  door::VirtualNs mark_time_;
  Counters counters_;
};

}  // namespace pollux::session
