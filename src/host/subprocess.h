// Runs another program to its end and collects what it said. For long jobs of the operator (building an image), not
// for anything near a machine: the call waits.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pollux::host {

struct Subprocess {
  std::vector<std::string> words;  // the program, found in PATH or /usr/sbin, and its arguments
  // Called with each line of its standard output and standard error as it comes; may be empty.
  std::function<void(const std::string&)> on_line;
};

struct Finished {
  int exit_code = 0;   // 128 + the signal's number when a signal ended it
  std::string output;  // the last 256 KiB of both streams
  bool ok() const { return exit_code == 0; }
};

// Fails (kEnvironment) when the program cannot be started.
Result<Finished> run_subprocess(const Subprocess& subprocess);

// Where a program is, searching PATH and the system folders that an ordinary user's PATH lacks.
std::optional<std::string> find_program(const std::string& name);

// One word of a POSIX shell command that means exactly this text.
std::string shell_quote(const std::string& text);

}  // namespace pollux::host
