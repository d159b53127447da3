#include "api/switch.h"

#include "host/switch/switch.h"

namespace pollux::api {

Result<void> run_switch(const SwitchOptions& options) {
  host::switching::SwitchOptions wanted{.socket_path = options.socket, .forwards = {}, .sandbox = options.sandbox};
  for (const std::string& text : options.forwards) {
    auto forward = host::switching::parse_forward(text);
    if (!forward) return pass(forward);
    wanted.forwards.push_back(std::move(*forward));
  }
  auto counters = host::switching::run_switch(wanted);
  if (!counters) return pass(counters);
  return {};
}

}  // namespace pollux::api
