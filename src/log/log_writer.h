// Entries to the bytes of a log file. The mirror of log_reader.h; the layout is in docs/format/log.md.
//
//   LogWriter writer(header);          begins the file: take() has the header
//   writer.add(entry); writer.flush(); take() has whole frames, to be appended to the file in order
//
// Invariant: after writing what take() gave, the file is a good log up to the last flush. It writes no file itself.
#pragma once

#include "log/entry.h"
#include "log/format.h"

namespace pollux::log {

class LogWriter {
 public:
  explicit LogWriter(const LogHeader& header);

  // Puts the entry in the frame being filled; closes the frame when it is full. Positions never decrease.
  void add(const Entry& entry);
  // Closes the frame, if it has entries: what was added until now can be read back from the bytes taken.
  void flush();
  // The bytes of the header and of frames closed since the last take, in order. Empty: none.
  Bytes take() { return out_.take(); }

  u64 bytes_made() const { return bytes_made_; }  // header and closed frames so far: the file's size

 private:

  ByteWriter out_;
  ByteWriter payload_;
  door::Position previous_;
  u64 frame_ = 0;
  u64 bytes_made_ = 0;
};

}  // namespace pollux::log
