// The rows of the vector and floating-point families.
#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/x87_bindings.h"

namespace pollux::cpu::interpret {

const std::vector<std::span<const Binding>>& vector_bindings() {
  static const std::vector<std::span<const Binding>> families = {
      sse_move_bindings(),  sse_data_bindings(),       sse_general_bindings(),  aes_bindings(),
      mmx_data_bindings(),  mmx_move_bindings(),       x87_arithmetic_bindings(), x87_move_bindings(),
      x87_function_bindings(), x87_control_bindings(), sse_state_bindings(),
  };
  return families;
}

}  // namespace pollux::cpu::interpret
