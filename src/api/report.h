// What a command says when it leaves: one line for people, the same with counters as JSON.
// docs/howto/exit-codes.md lists the exit codes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::api {

enum class ExitCode : int {
  kOk = 0,          // the guest powered off, was stopped, or the replay ended where the log ends
  kEnvironment = 1, // the world said no: file, port, peer, memory
  kUsage = 2,       // the options make no sense
  kFormat = 3,      // bytes that are not what they should be: a damaged log, not a kernel
  kDivergence = 4,  // two copies of one machine differ
  kReset = 5,       // the guest reset, or its processor shut down
  kLostArbitration = 6,  // the other half of the pair lives on; this one halted itself
};

ExitCode exit_code(ErrorKind kind);

struct Report {
  ExitCode code = ExitCode::kOk;
  std::string why;  // "power-off", "stopped", "end of log", ...; or the error's sentence
  u64 position = 0;
  u64 digest = 0;
  std::vector<std::pair<std::string, u64>> counters;  // by dotted name: inputs.packet, log.bytes, ...

  // "pollux: power-off at position 123456, digest 89abcdef01234567"
  std::string line() const;
  // One line: {"why":..,"exit":..,"position":..,"digest":"..","inputs":{..},...}; dots in counter names nest.
  std::string json() const;
};

}  // namespace pollux::api
