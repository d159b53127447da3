// Makes the translator, without showing its inside.
#pragma once

#include <memory>

#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "memory/code_region.h"
#include "memory/guest_memory.h"

namespace pollux::cpu::translate {

std::unique_ptr<Cpu> make_translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region);

}  // namespace pollux::cpu::translate
