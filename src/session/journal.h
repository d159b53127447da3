// Where a live session's entries and outputs go. The same loop runs, records and protects; only the journal differs:
//   run      PassThrough     entries vanish, outputs go to the world at once
//   record   LogJournal      entries are written to a log file first
//   primary  failover/driver/primary_driver: entries go to the backup, outputs wait at the gate (R1, R2)
//
// All calls come from the session's thread.
#pragma once

#include "base/result.h"
#include "door/output.h"
#include "log/entry.h"

namespace pollux::session {

class Journal {
 public:
  virtual ~Journal() = default;

  // Called before the machine is told (R1). An error ends the run with its sentence; the machine is not told.
  virtual Result<void> append(const log::Entry& entry) = 0;

  // Takes an output the machine made; the journal decides when it reaches the world. Entries already appended have
  // positions not above the output's.
  virtual Result<void> emit(door::OutputAt output) = 0;

  // Called once a slice and before and after each wait, with the machine's position. A primary sends, reads
  // acknowledgements, opens the gate and keeps time here. May ask the session to hold the machine: while it returns
  // true the machine does not run and the session waits for notify() (a full buffer, a lost peer before arbitration).
  virtual Result<bool> poll(door::Position position) = 0;

  // The machine stopped here in order (power-off, StopInput); everything appended and emitted must be safe now.
  virtual Result<void> close(door::Position position, u64 digest) = 0;
};

}  // namespace pollux::session
