// The constants of a log file and the log's header. The layout is in docs/format/log.md; log_writer.h writes it,
// log_reader.h reads it. The three change together.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "door/position.h"

namespace pollux::log {

// File:   header, frame 0, frame 1, ...
// Header: magic (8) | format version u32 | body length u32 | body | checksum u64 of all before, seed 0
// Body:   Pollux version, sized | start point u8 | start position varint | checkpoint, sized | configuration, sized
// Frame:  payload length u32 | head check u32 | payload checksum u64 | payload
//         head check: the low half of the checksum of the four length bytes, seed = frame number
//         payload checksum: seed = frame number, so that frames cannot change places
// Payload: encode_entries (log/codec.h)
inline constexpr std::string_view kMagic = "PolluxLg";
inline constexpr u32 kFormatVersion = 1;
inline constexpr std::size_t kHeaderFixedBytes = 16;
inline constexpr std::size_t kFrameHeadBytes = 16;
inline constexpr std::size_t kChecksumBytes = 8;
// A reader refuses more, a writer never makes it.
inline constexpr std::size_t kMaxHeaderBodyBytes = std::size_t{1} << 31;  // kernel and initrd are in it
inline constexpr std::size_t kMaxPayloadBytes = std::size_t{256} << 20;
// A writer closes a frame at the first entry that makes its payload at least this long.
inline constexpr std::size_t kFullPayloadBytes = std::size_t{64} << 10;

// From what the first entry goes on.
enum class StartPoint : u8 {
  kPowerOn = 0,     // a machine made from the configuration, at position 0
  kCheckpoint = 1,  // that machine restored from the checkpoint named
};

struct LogHeader {
  std::string pollux_version;
  StartPoint start = StartPoint::kPowerOn;
  door::Position start_position;
  std::string checkpoint;  // its name; empty for kPowerOn
  Bytes configuration;     // what a machine::MachineFactory makes it from
  bool operator==(const LogHeader&) const = default;
};

}  // namespace pollux::log
