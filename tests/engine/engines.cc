#include "engines.h"

#include "base/check.h"
#include "cpu/interpret/make_interpreter.h"
#include "cpu/translate/translator.h"
#include "host/code_memory.h"

namespace pollux::test::engine {

namespace {

// Of a host without BMI1, BMI2 and FSGSBASE: other tests have this host's.
memory::CodeRegion code_region() {
  auto code = host::map_code_memory(2 << 20);
  POLLUX_CHECK(code, "no memory for translated code");
  code->has_bmi = code->has_fsgsbase = false;
  return *code;
}

}  // namespace

Maker maker(const std::string& name) {
  if (name == "interpret") return cpu::interpret::make_interpreter;
  if (name == "check") return checker(translator(), nullptr);
  return [](memory::GuestMemory& memory, cpu::Bus& bus) {
    return std::make_unique<cpu::translate::Translator>(memory, bus, code_region(), cpu::translate::kImpatient);
  };
}

cpu::check::MakeSubject translator() { return cpu::check::translator_subject(code_region(), cpu::translate::kImpatient); }

Maker checker(const cpu::check::MakeSubject& subject, const cpu::check::OnDifference& on_difference) {
  return [=](memory::GuestMemory& memory, cpu::Bus& bus) {
    return std::make_unique<cpu::check::Checker>(memory, bus, subject, on_difference);
  };
}

}  // namespace pollux::test::engine
