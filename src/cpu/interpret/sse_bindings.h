// The rows of the SSE, AES and MMX families and of state saving, by file.
#pragma once

#include <span>

#include "cpu/interpret/instruction.h"

namespace pollux::cpu::interpret {

std::span<const Binding> sse_data_bindings();
std::span<const Binding> sse_general_bindings();
std::span<const Binding> sse_move_bindings();
std::span<const Binding> sse_state_bindings();
std::span<const Binding> aes_bindings();
std::span<const Binding> mmx_data_bindings();
std::span<const Binding> mmx_move_bindings();

}  // namespace pollux::cpu::interpret
