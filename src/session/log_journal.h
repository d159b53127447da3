// The journal of a recording: entries go to a log, outputs to the world at once. The log's bytes go to a ByteSink (a
// file, or memory in tests) frame by frame: a frame is closed at each mark, when it is full, and at the end.
//
// Invariant: what the sink holds is a good log up to its last whole frame, also when the process is killed.
// An error of the sink (a full disk) ends the run with its sentence.
#pragma once

#include "log/log_writer.h"
#include "session/journal.h"
#include "world/byte_sink.h"
#include "world/world.h"

namespace pollux::session {

class LogJournal final : public Journal {
 public:
  LogJournal(world::World& world, world::ByteSink& sink, const log::LogHeader& header);

  // Writes the header, so that a log that cannot be written is found before the machine runs.
  Result<void> open();

  Result<void> append(const log::Entry& entry) override;
  Result<void> emit(door::OutputAt output) override;
  Result<bool> poll(door::Position) override { return false; }
  Result<void> close(door::Position position, u64 digest) override;

  u64 log_bytes() const { return writer_.bytes_made(); }

 private:
  Result<void> write_frames();

  world::World& world_;
  world::ByteSink& sink_;
  log::LogWriter writer_;
};

}  // namespace pollux::session
