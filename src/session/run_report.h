// How a run went: why it stopped, where, with which digest, and the counters that --json prints.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "door/input.h"
#include "door/output.h"
#include "door/position.h"

namespace pollux::session {

enum class StopReason : u8 {
  kPowerOff,         // the guest switched itself off
  kReset,            // the guest asked for a reset
  kStopped,          // a StopInput
  kError,            // an operating error: error says what and what to do
  kDivergence,       // the machine differs from its log: error says where
  kLogEnd,           // replay: the log ends here, closed in order or not (then warning says so)
  kPositionReached,  // replay: --until
};

// "power-off", "reset", "stopped", "error", "divergence", "end of log", "position reached".
const char* name(StopReason reason);

// Inputs and outputs are counted by kind, in the order of the variants in door/.
struct Counters {
  std::array<u64, std::variant_size_v<door::Input>> inputs{};
  std::array<u64, std::variant_size_v<door::Output>> outputs{};
  u64 instructions = 0;  // positions passed in this session
  u64 marks = 0;         // taken, or compared
  u64 skips = 0;         // wakes by the machine's own timer
  u64 slices = 0;        // calls of run
  u64 busy_ns = 0;       // host time in and between slices (live only)
  u64 idle_ns = 0;       // host time waiting for a deadline or an input (live only)
  u64 held_ns = 0;       // host time in which the journal held the machine (live only)

  void count(const door::Input& input) { ++inputs[input.index()]; }
  void count(const door::Output& output) { ++outputs[output.index()]; }
};

struct RunReport {
  StopReason reason = StopReason::kError;
  door::Position position;
  u64 digest = 0;
  u32 exit_code = 0;    // what the guest gave with its power-off
  std::string warning;  // not empty: something to tell the operator, though the run ended well
  Error error;          // for kError and kDivergence
  Counters counters;
  std::vector<std::pair<std::string, u64>> engine;  // Machine::counters()
};

// "power-off at position 123, digest 0123456789abcdef"
std::string summary(const RunReport& report);

// Every counter with its JSON name, e.g. {"inputs.clock", 3}.
std::vector<std::pair<std::string, u64>> list(const Counters& counters);

}  // namespace pollux::session
