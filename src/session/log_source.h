// A log file as a replay's source of entries. Reads it in pieces, so that a log may be larger than memory.
//
//   LogSource source(read);
//   if (auto r = source.open(); !r) ...      a foreign file, another version, a damaged header: one sentence
//   machine = factory.make(source.header().configuration);
//   ReplaySession replay(*machine, source);
//
// A cut or damaged log is replayed up to its last good frame; the SourceEnd then carries the sentence that says so.
#pragma once

#include <functional>

#include "log/log_reader.h"
#include "session/entry_source.h"

namespace pollux::session {

// The next piece of the file, of any length; empty: the file ends here.
using ReadPiece = std::function<Result<Bytes>()>;

class LogSource final : public EntrySource {
 public:
  explicit LogSource(ReadPiece read) : read_(std::move(read)) {}

  // Reads the header.
  Result<void> open();
  // After open().
  const log::LogHeader& header() const { return *reader_.header(); }

  Result<Next> next() override;

  const log::LogReader& reader() const { return reader_; }

 private:
  Result<void> feed();

  ReadPiece read_;
  log::LogReader reader_;
};

// All of a log that is in memory.
ReadPiece read_from(Bytes bytes);

}  // namespace pollux::session
