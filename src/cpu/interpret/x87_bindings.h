// The rows of the x87 family, by file.
#pragma once

#include <span>

#include "cpu/interpret/instruction.h"

namespace pollux::cpu::interpret {

std::span<const Binding> x87_arithmetic_bindings();
std::span<const Binding> x87_move_bindings();
std::span<const Binding> x87_function_bindings();
std::span<const Binding> x87_control_bindings();

}  // namespace pollux::cpu::interpret
