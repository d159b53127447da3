// The processor engines a computer can have. Which one runs is no part of a machine's configuration: engines are
// equal at every position, so a pair may run two different ones.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "memory/code_region.h"
#include "memory/guest_memory.h"

namespace pollux::machine::computer {

using EngineMaker = std::function<Result<std::unique_ptr<cpu::Cpu>>(memory::GuestMemory&, cpu::Bus&)>;

// Memory for a translator's code: so many bytes of it, or why there is none.
using CodeRegionMaker = std::function<Result<memory::CodeRegion>(u64 bytes)>;

// By the name that the command line uses: "interpret", "translate", "check". nullopt: no such engine. code: for the translator.
// on_difference: of "check" (cpu/check/checker.h).
std::optional<EngineMaker> engine_named(std::string_view name, CodeRegionMaker code = {},
                                        std::function<void(const std::string&)> on_difference = {});

}  // namespace pollux::machine::computer
