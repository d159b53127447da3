#include "cpu/check/checker.h"

#include <algorithm>

namespace pollux::cpu::check {

Bytes saved(Cpu& cpu) {
  SaveVisitor v;
  cpu.visit(v);
  return v.take();
}

Checker::Checker(memory::GuestMemory& memory, Bus& bus, const MakeSubject& make, OnDifference on_difference)
    : memory_(memory),
      journal_(memory),
      subject_bus_(bus, memory, journal_),
      reference_bus_(bus, memory, journal_),
      subject_(make(memory, subject_bus_)),
      reference_(memory, reference_bus_),
      on_difference_(std::move(on_difference)) {
  subject_bus_.connect(subject_cpu());
  reference_bus_.connect(reference_);
}

void Checker::set_position(door::Position position) {
  subject_cpu().set_position(position);
  reference_.set_position(position);
}

void Checker::state_changed() {
  subject_cpu().state_changed();
  reference_.state() = subject_cpu().state();
  reference_.state_changed();
}

// During a bus access it is for the subject, and for the interpreter when it comes to the same access.
void Checker::set_interrupt_line(bool raised) {
  subject_cpu().set_interrupt_line(raised);
  if (Access* a = subject_bus_.answering()) a->line = raised; else reference_.set_interrupt_line(raised);
}

void Checker::raise_nmi() {
  subject_cpu().raise_nmi();
  if (Access* a = subject_bus_.answering()) a->nmi = true; else reference_.raise_nmi();
}

void Checker::request_stop() {
  requested_ = true;
  subject_cpu().request_stop();
  if (Access* a = subject_bus_.answering()) a->stop = true; else reference_.request_stop();
}

void Checker::visit(Visitor& v) {
  subject_cpu().visit(v);
  if (!v.restoring()) return;
  const Bytes bytes = saved(subject_cpu());
  LoadVisitor load(bytes);
  reference_.visit(load);
}

StopReason Checker::run(door::Position until, EarlyStop early) {
  while (position() < until) {
    const StopReason reason = slice(std::min(until, position() + kSlice));
    if (reason == StopReason::kPosition && early.is_asked_at(position().value)) return StopReason::kEarly;
    if (reason == StopReason::kPosition) continue;
    const bool requested = reason == StopReason::kRequested || reason == StopReason::kDelivering;
    if (requested && !std::exchange(requested_, false)) continue;  // by the tape alone
    return reason;
  }
  return StopReason::kPosition;
}

StopReason Checker::slice(door::Position until) {
  tape_.clear();
  subject_bus_.record(tape_);
  const Start start{saved(subject_cpu())};
  const bool same = run_both([&] { return subject_cpu().run(until); }, until, 0);
  const bool arrived = reason_ != StopReason::kPosition || position() == until;
  if (!same || !arrived) report(start, until);
  journal_.recycle(written_);
  journal_.recycle(rewritten_);
  return reason_;
}

bool Checker::run_both(const std::function<StopReason()>& run, door::Position until, std::size_t from) {
  journal_.begin();
  reason_ = run();
  written_ = journal_.end();
  for (WrittenPage& page : written_) journal_.take_back(page);
  reference_bus_.play(tape_, from);
  journal_.begin();
  reference_reason_ = reference_.run(reason_ == StopReason::kPosition ? position() : until);
  rewritten_ = journal_.end();
  return equal();
}

bool Checker::equal() {
  return reason_ == reference_reason_ && position() == reference_.position() && subject_bus_.stray().empty() &&
         reference_bus_.stray().empty() && reference_bus_.played() == subject_bus_.played() &&
         saved(subject_cpu()) == saved(reference_) && memory_differences().empty();
}

// Memory is now as the interpreter left it.
std::vector<WordDifference> Checker::memory_differences() {
  std::vector<WordDifference> all;
  const auto compare = [&](memory::PhysAddr page, const PageBytes& subject) {
    const std::byte* reference = memory_.host_page(page);
    compare_pages(subject.data(), reference, [&](u64 at) {
      WordDifference& word = all.emplace_back(page + at);
      std::memcpy(&word.subject, &subject[at], kWord);
      std::memcpy(&word.reference, reference + at, kWord);
    });
  };
  for (const WrittenPage& page : written_) compare(page.at, *page.after);
  for (const WrittenPage& page : rewritten_) {
    const bool both = std::ranges::any_of(written_, [&](const WrittenPage& other) { return other.at == page.at; });
    if (!both) compare(page.at, *page.before);
  }
  return all;
}

}  // namespace pollux::cpu::check
