// Runs a machine along a log: to each entry's position, delivers it, compares marks. The machine's outputs are
// dropped (R4). Used by `pollux replay` (run) and by a backup (advance, then promotion into a LiveSession).
//
// Invariants
//  1. The machine never runs past the position of the next entry, nor past what NotYet says was reached (R3).
//  2. Entries at one position are taken in the source's order.
//  3. Every mark passed was compared; after a difference the session goes no further.
// Not thread-safe; does not wait, read clocks or perform outputs.
#pragma once

#include <functional>
#include <optional>

#include "machine/machine.h"
#include "session/entry_source.h"
#include "session/outstanding_disk.h"
#include "session/run_report.h"

namespace pollux::session {

struct ReplayOptions {
  door::Position until = door::kEndOfTime;                  // stop there, even in the middle of the log
  std::function<void(const door::OutputAt&)> on_output;     // sees every output before it is dropped; may be empty
  std::function<void(const log::Entry&)> on_entry;          // sees every entry after it took effect; may be empty
};

enum class ReplayState : u8 {
  kMore,     // the budget is used up; call advance again
  kWaiting,  // caught up with the source, which may give more later
  kDone,     // report() says why
};

class ReplaySession {
 public:
  ReplaySession(machine::Machine& machine, EntrySource& source, ReplayOptions options = {});

  // Goes on along the source for at most about max_instructions.
  ReplayState advance(u64 max_instructions);

  // To the end. The source must not say NotYet.
  RunReport run();

  // After kDone: how it ended. Before: reason and error have no meaning; position, digest and counters are of now.
  RunReport report() const;

  door::Position position() const { return machine_.position(); }
  const OutstandingDisk& outstanding_disk() const { return outstanding_; }
  // The WallClockInput that was delivered: LiveSession's Promotion wants it.
  u64 wall_clock_unix_ns() const { return wall_clock_unix_ns_; }

 private:
  enum class Reach : u8 { kThere, kBudget, kStopped };

  // Fetches entry_ or limit_. False: the session is done.
  bool fetch();
  // Takes what was spent from budget.
  Reach run_to(door::Position target, u64& budget);
  void take_effect(const log::Entry& entry);
  void compare(const log::Mark& expected);
  void drop_outputs();
  void finish(StopReason reason);
  void diverge(std::string sentence);

  machine::Machine& machine_;
  EntrySource& source_;
  ReplayOptions options_;
  std::optional<log::Entry> entry_;  // fetched, not yet taken
  door::Position limit_;             // without an entry: known to be reached
  door::Position last_compared_;
  door::Position start_;
  OutstandingDisk outstanding_;
  u64 wall_clock_unix_ns_ = 0;
  std::optional<door::PowerOutput> power_;
  bool off_ = false;
  bool stop_delivered_ = false;
  bool done_ = false;
  RunReport report_;
};

}  // namespace pollux::session
