// Entries to bytes and back. Used by the log's frames (log_writer.h, log_reader.h) and by the wire between a primary
// and its backup, so that an entry looks the same on disk and on the channel.
//
// Invariants
//  1. decode(encode(e)) == e for every entry.
//  2. decode never reads past its bytes and refuses what encode cannot make, except varints longer than needed.
//  3. An entry is encoded against the position before it, which both sides keep in `previous`.
// It does not frame, check sums or limit sizes: its callers do. Specified by docs/format/log.md, "Entries".
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "log/entry.h"

namespace pollux::log {

// The first byte of an entry. Zero is no kind, so that a run of zero bytes is not an entry. A number is never used
// again for something else. docs/format/log.md has the same table.
enum class EntryKind : u8 {
  kClock = 1,
  kPacket = 2,
  kDiskCompletion = 3,
  kConsole = 4,
  kEntropy = 5,
  kWallClock = 6,
  kLink = 7,
  kPowerButton = 8,
  kDevice = 9,
  kStop = 10,
  kMark = 64,
  kReached = 65,
  kEnd = 66,
};

EntryKind kind_of(const Body& body);
// "clock", "packet", ... "mark", "reached", "end": as `pollux log` prints them.
const char* name(EntryKind kind);
const char* name(const Body& body);

// Appends the entry; entry.position must not be below previous, and becomes previous.
void encode(const Entry& entry, door::Position& previous, ByteWriter& out);

// Takes one entry. False: the bytes are not an entry (entry and previous are then unspecified).
bool decode(ByteReader& in, door::Position& previous, Entry& entry);

// Several entries that stand alone: the position of the first as a varint, then the entries. A log frame's payload.
Bytes encode_entries(std::span<const Entry> entries);
// nullopt: the bytes are not exactly a run of entries.
std::optional<std::vector<Entry>> decode_entries(ByteSpan bytes);

}  // namespace pollux::log
