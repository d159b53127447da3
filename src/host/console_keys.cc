#include "host/console_keys.h"

namespace pollux::host {

void ConsoleKeys::feed(ByteSpan typed, Bytes& to_guest, std::vector<ConsoleCommand>& commands) {
  constexpr std::byte kCtrlA{1};
  for (const std::byte key : typed) {
    if (!after_ctrl_a_) {
      after_ctrl_a_ = key == kCtrlA;
      if (!after_ctrl_a_) to_guest.push_back(key);
      continue;
    }
    after_ctrl_a_ = false;
    switch (char(key)) {
      case 'x': commands.push_back(ConsoleCommand::kLeave); break;
      case 'p': commands.push_back(ConsoleCommand::kPowerButton); break;
      case 'h':
      case '?': commands.push_back(ConsoleCommand::kHelp); break;
      case 'b':
      case char(kCtrlA): to_guest.push_back(kCtrlA); break;
      default: break;
    }
  }
}

}  // namespace pollux::host
