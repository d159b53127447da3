// Time on the board: running processors in turns up to the next event, events, idling.
#include <algorithm>

#include "base/check.h"
#include "machine/board/board.h"

namespace pollux::machine::board {

door::VirtualNs Board::deadline() const {
  door::VirtualNs first = pit_.deadline();
  const device::Timed* const others[] = {&rtc_, &serial_, &acpi_};
  for (const device::Timed* timed : others) first = std::min(first, timed->deadline());
  return std::min(first, interrupts_.deadline());
}

void Board::settle() {
  start_processors();
  const door::VirtualNs time = now();
  const auto settle_one = [time](device::Timed& timed) {
    if (timed.deadline() <= time) timed.advance();
    POLLUX_CHECK(timed.deadline() > time, "a device does all that is due in one advance");
  };
  for (u32 n = 0; n < processors(); ++n) settle_one(interrupts_.lapic(n));
  for (device::Timed* timed : {static_cast<device::Timed*>(&pit_), static_cast<device::Timed*>(&rtc_),
                               static_cast<device::Timed*>(&serial_), static_cast<device::Timed*>(&acpi_)}) {
    settle_one(*timed);
  }
  start_processors();  // a timer's line may lead to an INIT, too
}

void Board::start_processors() {
  if (start_messages_.empty()) return;
  for (const StartMessage& message : std::exchange(start_messages_, {})) {
    Processor& target = *processors_[message.processor];
    message.init ? target.init() : target.start_up(message.vector);
  }
}

bool Board::idle() const {
  if (off_) return false;
  for (const auto& processor : processors_) {
    if (processor->can_run()) return false;
  }
  return true;
}

RunStop Board::run(door::Position until, EarlyStop early) {
  for (;;) {
    if (off_) return RunStop::kOff;
    if (!outputs_.empty()) return RunStop::kOutput;
    if (position() >= until) return RunStop::kPosition;
    if (idle()) return RunStop::kIdle;
    choose_turn();
    run_processor(std::min({until, clock_.first_at(deadline()), turns_.ends()}), early);
    settle();
    // What ends the run anyway is told first.
    if (early.is_asked_at(position().value) && !off_ && outputs_.empty() && position() < until && !idle())
      return RunStop::kEarly;
  }
}

// Only where an instruction is about to execute: what is decided here is part of the machine's state.
void Board::choose_turn() {
  const door::Position here = position();
  const u32 before = turns_.current();
  turns_.choose(here, [this](u32 n) { return processors_[n]->can_run(); });
  if (turns_.current() != before) current().set_position(here);
}

// A lone spinner keeps its turn: nobody would be served by ending it.
void Board::pause() {
  for (u32 n = 0; n < processors(); ++n) {
    if (n == turns_.current() || !processors_[n]->can_run()) continue;
    turns_.end(position() + 1);
    current().request_stop();
    return;
  }
}

void Board::run_processor(door::Position until, EarlyStop early) {
  cpu::Cpu& cpu = current();
  const std::size_t taken = outputs_.size();
  const door::Position from = cpu.position();
  in_processor_ = true;
  const cpu::StopReason reason = cpu.run(until, early);
  in_processor_ = false;
  // What retires nothing has a position of its own, so that "before it" and "after it" differ.
  const bool shut_down = reason == cpu::StopReason::kShutdown;
  if (shut_down || reason == cpu::StopReason::kDelivering) cpu.set_position(cpu.position() + 1);
  POLLUX_CHECK(cpu.position() > from, "a processor that can run does run");
  if (shut_down) {
    emit(door::OperatorOutput{"The guest's processor shut down after a triple fault."});
    emit(door::PowerOutput{door::PowerEvent::kReset, 0});
  }
  for (std::size_t i = taken; i < outputs_.size(); ++i) outputs_[i].position = cpu.position();
}

void Board::skip_idle() {
  const door::VirtualNs wake = idle_until();
  POLLUX_CHECK(wake != door::kNever, "only a machine that waits for a time can skip to it");
  const door::Position next = position() + 1;
  clock_.jump(next, wake);
  current().set_position(next);
  settle();
}

void Board::emit(door::Output output) {
  if (std::holds_alternative<door::PowerOutput>(output)) {
    if (off_) return;
    serial_.flush();
    off_ = true;
  }
  outputs_.push_back({position(), std::move(output)});
  wake_board();
}

void Board::pass_time(u64 ns) {
  clock_.jump(position(), now() + ns);
  wake_board();
}

void Board::wake_board() {
  if (in_processor_) current().request_stop();
}

}  // namespace pollux::machine::board
