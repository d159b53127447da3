// All rows of all families, and the search for the row of a decoded instruction.
#pragma once

#include <span>
#include <vector>

#include "cpu/interpret/instruction.h"

namespace pollux::cpu::interpret {

// The families, each in its own file. Integer families:
std::span<const Binding> arithmetic_bindings();
std::span<const Binding> unary_bindings();
std::span<const Binding> move_bindings();
std::span<const Binding> stack_bindings();
std::span<const Binding> branch_bindings();
std::span<const Binding> shift_bindings();
std::span<const Binding> multiply_bindings();
std::span<const Binding> bit_bindings();
std::span<const Binding> decimal_bindings();
std::span<const Binding> exchange_bindings();
std::span<const Binding> string_bindings();
std::span<const Binding> flag_bindings();
std::span<const Binding> port_bindings();
std::span<const Binding> segment_bindings();
std::span<const Binding> far_bindings();
std::span<const Binding> syscall_bindings();
std::span<const Binding> control_bindings();
std::span<const Binding> table_bindings();
std::span<const Binding> msr_bindings();
std::span<const Binding> miscellaneous_bindings();
// The vector and floating-point families (x87, MMX, SSE, AES, state saving): vector_table.cc.
const std::vector<std::span<const Binding>>& vector_bindings();

// Every family's rows.
const std::vector<std::span<const Binding>>& all_bindings();

// The first row that matches, or nullptr: #UD.
const Binding* find_binding(const decode::Decoded& decoded);

}  // namespace pollux::cpu::interpret
