#include "api/switch.h"

#include "host/switch/switch.h"

namespace pollux::api {

Result<std::string> run_switch(const SwitchOptions& options) {
  host::switching::SwitchOptions wanted{.socket_path = options.socket, .forwards = {}, .sandbox = options.sandbox};
  for (const std::string& text : options.forwards) {
    auto forward = host::switching::parse_forward(text);
    if (!forward) return pass(forward);
    wanted.forwards.push_back(std::move(*forward));
  }
  const auto end = host::switching::run_switch(wanted);
  if (!end) return std::unexpected(end.error());
  const host::switching::SwitchCounters& did = end->counters;
  std::string sentence = "the switch was asked to stop (" + end->asked_by + "): ";
  const auto count = [&](u64 number, const char* what, const char* between = ", ") {
    sentence += std::to_string(number) + " " + what + between;
  };
  count(did.clients, "clients");
  count(did.frames, "frames");
  count(did.dropped, "dropped");
  if (did.shortages > 0) count(did.shortages, "times without a descriptor for a client");
  count(did.moves, "moves of an address", "");
  return sentence;
}

}  // namespace pollux::api
