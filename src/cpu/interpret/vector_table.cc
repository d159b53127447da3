// The rows of the vector and floating-point families.
#include "cpu/interpret/instruction_table.h"

namespace pollux::cpu::interpret {

const std::vector<std::span<const Binding>>& vector_bindings() {
  static const std::vector<std::span<const Binding>> families = {};
  return families;
}

}  // namespace pollux::cpu::interpret
