// The bytes of a log file to entries. The mirror of log_writer.h; the layout is in docs/format/log.md.
//
//   reader.feed(bytes) in any pieces, reader.finish() after the last;
//   reader.next() until it gives nothing; then state() says whether to feed more or why the log ends here
//
// Invariants
//  1. It never crashes and never gives an entry from a frame that is not whole and good.
//  2. All entries up to the last good frame are given, whatever follows.
// It reads no file itself.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "log/entry.h"
#include "log/format.h"

namespace pollux::log {

enum class LogState : u8 {
  kReading,       // give it more bytes
  kEnded,         // an End entry: the log was closed in order
  kNotClosed,     // the file ends between two frames, without an End entry: the recording was killed
  kTruncated,     // the file ends inside a frame
  kDamaged,       // a checksum is wrong, or bytes are not entries
  kForeign,       // not a log
  kOtherVersion,  // a log of another format version
};

class LogReader {
 public:
  void feed(ByteSpan bytes);
  void finish();

  // The next entry. nullopt: see state(), which says what was true of the bytes behind the last entry given.
  std::optional<Entry> next();
  // Bytes that the entry last given takes inside its frame.
  u64 entry_bytes() const { return entry_bytes_; }

  // Null until the header is read and good.
  const LogHeader* header() const { return header_ ? &*header_ : nullptr; }

  LogState state() const { return ready_.empty() ? state_ : LogState::kReading; }
  // Why the log ends here, for the operator; empty for kReading and kEnded.
  std::string sentence() const;
  // Offset in the file of the byte behind the last good frame (or header).
  u64 good_bytes() const { return good_bytes_; }
  u64 frames() const { return frame_; }

 private:
  struct Ready {
    Entry entry;
    u64 bytes;
  };

  void parse();
  bool parse_header();
  bool parse_frame();
  bool parse_entries(ByteSpan payload);
  void consume(std::size_t count);
  ByteSpan rest() const { return ByteSpan(buffer_).subspan(used_); }

  Bytes buffer_;          // bytes fed; the first used_ are done
  std::size_t used_ = 0;
  std::deque<Ready> ready_;
  std::optional<LogHeader> header_;
  LogState state_ = LogState::kReading;
  u64 good_bytes_ = 0;
  u64 frame_ = 0;
  door::Position previous_;
  u32 other_version_ = 0;
  std::string other_pollux_;
  u64 entry_bytes_ = 0;
};

}  // namespace pollux::log
