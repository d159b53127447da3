#include "door/input.h"
#include "door/output.h"

namespace pollux::door {

const char* name(const Input& input) {
  static constexpr const char* kNames[] = {"clock",      "packet", "disk-completion", "console", "entropy",
                                           "wall-clock", "link",   "power-button",    "device",  "stop"};
  static_assert(std::variant_size_v<Input> == std::size(kNames));
  return kNames[input.index()];
}

const char* name(const Output& output) {
  static constexpr const char* kNames[] = {"packet", "disk", "console", "power", "operator"};
  static_assert(std::variant_size_v<Output> == std::size(kNames));
  return kNames[output.index()];
}

}  // namespace pollux::door
