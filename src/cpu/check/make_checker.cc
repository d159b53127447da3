#include "cpu/check/make_checker.h"

namespace pollux::cpu::check {

namespace {

class TranslatorSubject final : public Subject {
 public:
  TranslatorSubject(memory::GuestMemory& memory, Bus& bus, const memory::CodeRegion& region,
                    translate::Patience patience)
      : translator_(memory, bus, region, patience) {}
  Cpu& cpu() override { return translator_; }
  const char* name() const override { return "translator"; }
  StopReason step(door::Position until, ByteSpan& code) override { return translator_.step(until, code); }

 private:
  translate::Translator translator_;
};

}  // namespace

MakeSubject translator_subject(memory::CodeRegion region, translate::Patience patience) {
  return [region, patience](memory::GuestMemory& memory, Bus& bus) {
    return std::make_unique<TranslatorSubject>(memory, bus, region, patience);
  };
}

std::unique_ptr<Cpu> make_checker(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region,
                                  OnDifference on_difference) {
  return std::make_unique<Checker>(memory, bus, translator_subject(std::move(region)), std::move(on_difference));
}

}  // namespace pollux::cpu::check
