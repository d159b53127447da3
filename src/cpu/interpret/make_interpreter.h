// How others make the reference engine.
#pragma once

#include <memory>

#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "memory/guest_memory.h"

namespace pollux::cpu::interpret {

// memory and bus must outlive the processor. It begins in the reset state, at position 0.
std::unique_ptr<Cpu> make_interpreter(memory::GuestMemory& memory, Bus& bus);

}  // namespace pollux::cpu::interpret
