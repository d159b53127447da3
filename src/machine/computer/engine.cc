#include "machine/computer/engine.h"

#include "cpu/check/make_checker.h"
#include "cpu/interpret/make_interpreter.h"
#include "cpu/translate/make_translator.h"

namespace pollux::machine::computer {

namespace {
constexpr u64 kCodeBytes = u64{46} << 20;
}

std::optional<EngineMaker> engine_named(std::string_view name, CodeRegionMaker code,
                                        std::function<void(const std::string&)> on_difference) {
  using Made = Result<std::unique_ptr<cpu::Cpu>>;
  if (name == "interpret") {
    return EngineMaker([](memory::GuestMemory& memory, cpu::Bus& bus) -> Made {
      return cpu::interpret::make_interpreter(memory, bus);
    });
  }
  if (name == "translate" && code) {
    return EngineMaker([code](memory::GuestMemory& memory, cpu::Bus& bus) -> Made {
      Result<memory::CodeRegion> region = code(kCodeBytes);
      if (!region) return pass(region);
      return cpu::translate::make_translator(memory, bus, std::move(*region));
    });
  }
  if (name == "check" && code) {
    return EngineMaker([code, on_difference](memory::GuestMemory& memory, cpu::Bus& bus) -> Made {
      Result<memory::CodeRegion> region = code(kCodeBytes);
      if (!region) return pass(region);
      return cpu::check::make_checker(memory, bus, std::move(*region), on_difference);
    });
  }
  return std::nullopt;
}

}  // namespace pollux::machine::computer
