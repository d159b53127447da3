// A difference was found: where exactly, and what was executed there.
#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "cpu/check/checker.h"
#include "cpu/decode/disassemble.h"
#include "cpu/interpret/mode.h"

namespace pollux::cpu::check {

namespace {

constexpr unsigned kMostGuestLines = 100, kMostHostLines = 400;

}  // namespace

void Checker::report(const Start& start, door::Position until) {
  const std::string whole = differences();
  std::string text = "the engines differ\n";
  put_both_at(start);
  ByteSpan code;
  Start step = start;
  bool same = true;
  while (same && position() < until) {
    step = start_here(subject_bus_.played());
    same = run_both([&] { return subject_->step(until, code); }, until, step.accesses);
    if (same && subject_bus_.played() == tape_.size() && reason_ != StopReason::kPosition) break;  // where the slice ended
  }
  if (same) {
    put_both_at(start);
    text += "Between positions " + std::to_string(position().value) + " and " + std::to_string(until.value) + ". Executed again" +
            " in small steps they agree, so what the " + subject_->name() +
            " had kept (links, look-ups, translations) was wrong.\n" + whole + "begins with\n" + instruction_here();
  } else {
    const std::string found = differences();
    const u64 end = std::max(reference_.position().value, position().value);
    put_both_at(step);
    text += "From position " + std::to_string(position().value) + ", where they were equal:\n" + found + "guest code, as the " +
            "interpreter executes it\n" + guest_code(step, end);
    text += code.empty() ? std::string("no translation: the ") + subject_->name() + " executed this by other means\n"
                         : "host code\n" + decode::listing(decode::CodeSize::k64, code, kMostHostLines);
  }
  if (on_difference_) on_difference_(text);
  POLLUX_CHECK(false, text.c_str());
}

std::string Checker::guest_code(const Start& start, u64 until) {
  std::string text;
  for (unsigned lines = 0; reference_.position().value < until && lines < kMostGuestLines; ++lines) {
    text += instruction_here();
    reference_bus_.play(tape_, lines == 0 ? start.accesses : reference_bus_.played());
    const door::Position before = reference_.position();
    const StopReason reason = reference_.run(before + 1);
    if (reason == StopReason::kHalted || reason == StopReason::kShutdown || !reference_bus_.stray().empty()) break;
  }
  return text;
}

std::string Checker::instruction_here() {
  const x86::State& s = reference_.state();
  const auto code_size = decode::CodeSize(reference_.mode_bits() & interpret::kCodeSizeMask);
  const u64 linear = reference_.code64() ? s.rip : u32(s.segment[x86::kCs].base + s.rip);
  mmu::Translation t;
  x86::Fault fault;
  const mmu::View view = interpret::Interpreter::view_of(reference_.cpl());
  if (!x86::is_canonical(linear) || !reference_.mmu().translate(linear, mmu::Access::kFetch, view, t, fault) || !t.host) {
    char text[64];
    std::snprintf(text, sizeof text, "  %16lx  not to be fetched\n", s.rip);
    return text;
  }
  const u64 room = std::min<u64>(15, memory::kPageSize - (t.physical.value & memory::kPageMask));
  return decode::listing_line(code_size, {t.host, room}, s.rip);
}

}  // namespace pollux::cpu::check
