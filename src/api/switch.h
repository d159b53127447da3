// `pollux switch`: the Ethernet switch as a command.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pollux::api {

struct SwitchOptions {
  std::string socket;
  std::vector<std::string> forwards;  // "tcp:HOSTPORT:GUESTPORT", "udp:HOSTPORT:GUESTPORT"
  bool sandbox = true;
};

// Runs until SIGINT, SIGTERM or SIGHUP; returns a sentence for the operator: who asked it to stop, and what it did.
Result<std::string> run_switch(const SwitchOptions& options);

}  // namespace pollux::api
