#include "machine/computer/engine.h"

#include "cpu/interpret/make_interpreter.h"

namespace pollux::machine::computer {

std::optional<EngineMaker> engine_named(std::string_view name) {
  if (name == "interpret") return EngineMaker(cpu::interpret::make_interpreter);
  return std::nullopt;
}

}  // namespace pollux::machine::computer
