#include "machine/computer/engine.h"

#include "cpu/interpret/make_interpreter.h"
#include "cpu/translate/make_translator.h"

namespace pollux::machine::computer {

namespace {
constexpr u64 kCodeBytes = u64{48} << 20;
}

std::optional<EngineMaker> engine_named(std::string_view name, CodeRegionMaker code) {
  if (name == "interpret") return EngineMaker(cpu::interpret::make_interpreter);
  if (name == "translate" && code) {
    return EngineMaker([code](memory::GuestMemory& memory, cpu::Bus& bus) {
      return cpu::translate::make_translator(memory, bus, code(kCodeBytes));
    });
  }
  return std::nullopt;
}

}  // namespace pollux::machine::computer
