// What a log is made of: positions with inputs, and marks. Pure; the encoding is in log/codec.h and described byte
// by byte in docs/format/log.md.
#pragma once

#include <variant>
#include <vector>

#include "door/input.h"
#include "door/position.h"

namespace pollux::log {

// The machine's digest at the position. Replay and backup compare, and stop on a difference. components: the low 16
// bits of each component's digest in the machine's order, to name the one that differs; empty: not recorded.
struct Mark {
  u64 digest = 0;
  std::vector<u16> components;
  bool operator==(const Mark&) const = default;
};

// Execution reached at least the position. Written for the output rule (R2), and so that a backup may run on (R3).
struct Reached {
  bool operator==(const Reached&) const = default;
};

// The last entry of a log that was closed in order: the machine stopped here.
struct End {
  u64 digest = 0;
  bool operator==(const End&) const = default;
};

using Body = std::variant<door::Input, Mark, Reached, End>;

// Positions in a log never decrease. Inputs at one position are delivered in the log's order; a mark at the same
// position describes the machine after the entries before it.
struct Entry {
  door::Position position;
  Body body;
  bool operator==(const Entry&) const = default;
};

}  // namespace pollux::log
