#include "session/mark.h"

namespace pollux::session {

log::Mark make_mark(machine::Machine& machine) {
  log::Mark mark{machine.digest(), {}};
  for (const auto& [name, digest] : machine.component_digests()) mark.components.push_back(u16(digest));
  return mark;
}

std::string different_components(machine::Machine& machine, const log::Mark& mark) {
  const auto components = machine.component_digests();
  if (components.size() != mark.components.size()) return "";
  std::string names;
  for (std::size_t i = 0; i < components.size(); ++i)
    if (u16(components[i].second) != mark.components[i]) names += (names.empty() ? "" : ", ") + components[i].first;
  return names;
}

}  // namespace pollux::session
