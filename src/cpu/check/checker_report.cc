// A difference was found: where exactly, and what was executed there.
#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/check.h"
#include "cpu/check/checker.h"
#include "cpu/decode/disassemble.h"
#include "cpu/interpret/mode.h"

namespace pollux::cpu::check {

namespace {

constexpr unsigned kMostGuestLines = 150, kMostHostLines = 400;

// Puts a state back without telling the engine that everything is new: what it keeps beside the state is under suspicion.
class PutBackVisitor final : public Visitor {
 public:
  explicit PutBackVisitor(ByteSpan bytes) : load_(bytes) {}
  void raw(std::string_view name, std::span<std::byte> bytes) override { load_.raw(name, bytes); }
  void sized(std::string_view name, Bytes& bytes) override { load_.sized(name, bytes); }
  void enter(std::string_view) override {}
  void leave() override {}

 private:
  LoadVisitor load_;
};

}  // namespace

void Checker::report(const Start& start, door::Position until) {
  const std::string whole = differences();
  std::ranges::move(rewritten_, std::back_inserter(undo_));
  put_both_at(start);
  std::string text = first_step(start, until);
  if (text.empty()) text = shortest_run(start, until, whole);
  text = "the engines differ\n" + text;
  if (on_difference_) on_difference_(text);
  POLLUX_CHECK(false, text.c_str());
}

std::string Checker::first_step(const Start& start, door::Position until) {
  ByteSpan code;
  Start step = start;
  std::string found;
  while (found.empty() && position() < until) {
    step = start_here();
    found = try_both([&] { return subject_->step(until, code); }, until);
    const std::size_t played = subject_bus_.played();
    if (reason_ != StopReason::kPosition && (played == tape_.size() || played == step.accesses)) break;  // where it ended
  }
  if (found.empty()) return "";
  const u64 end = std::max(reference_.position().value, position().value);
  put_both_at(step);
  return "From position " + std::to_string(position().value) + ", where they were equal:\n" + found +
         "guest code, as the interpreter executes it\n" + guest_code(end) +
         (code.empty() ? std::string("no translation: the ") + subject_->name() + " executed this by other means\n"
                       : "host code\n" + decode::listing(decode::CodeSize::k64, code, kMostHostLines));
}

std::string Checker::shortest_run(const Start& start, door::Position until, std::string found) {
  u64 equal = 0, longest = 0;  // lengths
  put_both_at(start);
  const u64 from = position().value;
  for (longest = until.value - from; longest - equal > 1;) {
    const u64 length = equal + (longest - equal) / 2;
    const door::Position end(from + length);
    const std::string here = try_both([&] { return subject_cpu().run(end); }, end);
    if (here.empty()) equal = length; else longest = length, found = here;
    put_both_at(start);
  }
  if (longest > kMostGuestLines) reference_.run(door::Position(from + longest - kMostGuestLines));
  return "Between positions " + std::to_string(from) + " and " + std::to_string(from + longest) + ". Executed again in small " +
         "steps they agree: what the " + subject_->name() + " had kept (links, look-ups, translations) was wrong.\n" + found +
         "guest code, as the interpreter executes it up to there\n" + guest_code(from + longest);
}

std::string Checker::differences() {
  const bool behind = reference_bus_.played() < subject_bus_.played();
  std::string stray = behind ? to_text(tape_[reference_bus_.played()].asked) : subject_bus_.stray();
  return side_by_side(side_of(subject_->name(), reason_, subject_cpu(), std::move(stray)),
                      side_of("interpreter", reference_reason_, reference_, reference_bus_.stray()), memory_differences());
}

std::string Checker::try_both(const std::function<StopReason()>& run, door::Position until) {
  const bool same = run_both(run, until, subject_bus_.played());
  std::string found = same ? "" : differences();
  std::ranges::move(rewritten_, std::back_inserter(undo_));
  return found;
}

Checker::Start Checker::start_here() { return {saved(subject_cpu()), subject_bus_.played(), undo_.size()}; }

void Checker::put_both_at(const Start& start) {
  for (; undo_.size() > start.undo; undo_.pop_back()) journal_.put_back(undo_.back());
  for (Cpu* cpu : {&subject_cpu(), static_cast<Cpu*>(&reference_)}) {
    PutBackVisitor v(start.state);
    cpu->visit(v);
    cpu->state_changed();
  }
  subject_bus_.play(tape_, start.accesses);
  reference_bus_.play(tape_, start.accesses);
}

std::string Checker::guest_code(u64 until) {
  std::string text;
  for (u64 lines = 0; lines < kMostGuestLines && reference_.position().value < until; ++lines) {
    text += instruction_here();
    if (reference_.run(reference_.position() + 1) == StopReason::kHalted || !reference_bus_.stray().empty()) break;
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
