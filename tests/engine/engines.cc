#include "engines.h"

#include "base/check.h"
#include "cpu/interpret/make_interpreter.h"
#include "cpu/translate/translator.h"
#include "host/code_memory.h"

namespace pollux::test::engine {

Maker maker(const std::string& name) {
  if (name == "interpret") return cpu::interpret::make_interpreter;
  return [](memory::GuestMemory& memory, cpu::Bus& bus) {
    const auto code = host::map_code_memory(2 << 20);
    POLLUX_CHECK(code, "no memory for translated code");
    return std::make_unique<cpu::translate::Translator>(memory, bus, *code, cpu::translate::Translator::Patience{.wanted = 0});
  };
}

}  // namespace pollux::test::engine
