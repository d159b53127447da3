// The processor engines a computer can have. Which one runs is no part of a machine's configuration: engines are
// equal at every position, so a pair may run two different ones.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "memory/guest_memory.h"

namespace pollux::machine::computer {

using EngineMaker = std::function<std::unique_ptr<cpu::Cpu>(memory::GuestMemory&, cpu::Bus&)>;

// By the name that the command line uses: "interpret". nullopt: no such engine.
std::optional<EngineMaker> engine_named(std::string_view name);

}  // namespace pollux::machine::computer
