// The keys of the terminal console: Ctrl-A is ours, all else is the guest's.
//   Ctrl-A x   leave: stop the machine        Ctrl-A p   press the power button
//   Ctrl-A b   send Ctrl-A to the guest       Ctrl-A h   list the keys
// Ctrl-A twice also sends one. Any other key after Ctrl-A is swallowed with it.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace pollux::host {

enum class ConsoleCommand { kLeave, kPowerButton, kHelp };

class ConsoleKeys {
 public:
  // Appends what the guest gets and what was commanded. A Ctrl-A at the end counts for the next call.
  void feed(ByteSpan typed, Bytes& to_guest, std::vector<ConsoleCommand>& commands);

 private:
  bool after_ctrl_a_ = false;
};

inline constexpr const char* kConsoleHelp =
    "Ctrl-A x: stop the machine; Ctrl-A p: power button; Ctrl-A b: send Ctrl-A; Ctrl-A h: this line";

}  // namespace pollux::host
