// The engine that checks another: it runs the subject and, from the same state and memory, the interpreter, and compares
// all that they did. It is a processor like any other; what it costs is time.
//
// How it runs: a slice of positions is executed by the subject, whose bus accesses are put on a tape (tape.h) and whose
// memory writes are kept (journal.h). Memory is put back, and the interpreter executes the same slice on the same
// memory, with its accesses answered by the tape. Then reasons, positions, states, the tape's end and all pages that either
// has written must be equal. A slice ends behind every bus access that may have had an effect.
//
// On a difference the slice is executed again in the smallest steps that the subject has, and the first step that differs
// is told with what was executed in it, as guest code and as host code. A difference that does not come again in steps
// comes from what the subject had kept (a link, a look-up); then the shortest run from the slice's start that differs is told.
//
// Invariants
//  1. Between slices both engines have equal states, interrupt lines included, and memory is what both have made of it.
//  2. What an engine has kept of memory (TLB, decoded and translated code) is told of every change: putting back is
//     writing, for the observers of GuestMemory.
//  3. The real bus hears of each access once, from the subject.
//
// Not here: whether the interpreter is right; the subject's behaviour in the last instructions of a slice where the
// subject itself leaves them to an interpreter: slices are long compared with that, and end anywhere.
#pragma once

#include <functional>
#include <string>

#include "cpu/check/report.h"
#include "cpu/check/subject.h"
#include "cpu/check/tape.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::check {

// An engine's state as bytes.
Bytes saved(Cpu& cpu);

// Is given the report of a difference, and does not return. Where there is none, the report is printed and the program aborted.
using OnDifference = std::function<void(const std::string& report)>;

class Checker final : public Cpu {
 public:
  static constexpr u64 kSlice = 3000;

  Checker(memory::GuestMemory& memory, Bus& bus, const MakeSubject& make, OnDifference on_difference);

  StopReason run(door::Position until, EarlyStop early = {}) override;
  door::Position position() const override { return subject_cpu().position(); }
  void set_position(door::Position position) override;
  x86::State& state() override { return subject_cpu().state(); }
  void state_changed() override;
  void set_interrupt_line(bool raised) override;
  void raise_nmi() override;
  void request_stop() override;
  void visit(Visitor& v) override;
  // The subject's.
  std::vector<std::pair<std::string, u64>> counters() const override { return subject_cpu().counters(); }

 private:
  // Where both are at the start of a slice or a step.
  struct Start {
    Bytes state;
    std::size_t accesses = 0;  // of the tape that were made before
    std::size_t undo = 0;      // of undo_, that were written before
  };
  Cpu& subject_cpu() const { return subject_->cpu(); }
  StopReason slice(door::Position until);
  // Both, one after the other, from one state and memory; until: where the interpreter must stop if the subject
  // stopped for another reason than the position.
  bool run_both(const std::function<StopReason()>& run, door::Position until, std::size_t from);
  bool equal();
  std::vector<WordDifference> memory_differences();

  // checker_report.cc
  [[noreturn]] void report(const Start& start, door::Position until);
  std::string first_step(const Start& start, door::Position until);
  std::string shortest_run(const Start& start, door::Position until, std::string whole);
  std::string differences();
  // Like run_both(), but it can be undone; what differs, if anything does.
  std::string try_both(const std::function<StopReason()>& run, door::Position until);
  Start start_here();
  void put_both_at(const Start& start);
  std::string guest_code(u64 until);
  std::string instruction_here();

  memory::GuestMemory& memory_;
  PageJournal journal_;
  TapedBus subject_bus_, reference_bus_;
  std::unique_ptr<Subject> subject_;
  interpret::Interpreter reference_;
  OnDifference on_difference_;
  std::vector<Access> tape_;
  bool requested_ = false;  // by the real bus

  // Of the slice or step that was executed last.
  StopReason reason_ = StopReason::kPosition, reference_reason_ = StopReason::kPosition;
  std::vector<WrittenPage> written_, rewritten_;  // by the subject, by the interpreter
  std::vector<WrittenPage> undo_;                 // pages written since a difference was found, in that order
};

}  // namespace pollux::cpu::check
