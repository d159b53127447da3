// Makes the engine that checks the translator (checker.h).
#pragma once

#include <memory>

#include "cpu/check/checker.h"
#include "cpu/translate/translator.h"
#include "memory/code_region.h"

namespace pollux::cpu::check {

// region: for the translator's code, at least 1 MiB.
MakeSubject translator_subject(memory::CodeRegion region, translate::Patience patience = {});

std::unique_ptr<Cpu> make_checker(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region,
                                  OnDifference on_difference);

}  // namespace pollux::cpu::check
