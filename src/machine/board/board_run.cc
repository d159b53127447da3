// Time on the board: running the processor up to the next event, events, idling.
#include <algorithm>

#include "base/check.h"
#include "machine/board/board.h"

namespace pollux::machine::board {
namespace {
constexpr u64 kInterruptFlag = 1 << 9;
}

door::VirtualNs Board::deadline() const {
  door::VirtualNs first = pit_.deadline();
  const device::Timed* const others[] = {&rtc_, &serial_, &acpi_};
  for (const device::Timed* timed : others) first = std::min(first, timed->deadline());
  return std::min(first, const_cast<Interrupts&>(interrupts_).lapic().deadline());
}

void Board::settle() {
  const door::VirtualNs time = now();
  device::Timed* const all[] = {&interrupts_.lapic(), &pit_, &rtc_, &serial_, &acpi_};
  for (device::Timed* timed : all) {
    if (timed->deadline() <= time) timed->advance();
    POLLUX_CHECK(timed->deadline() > time, "a device does all that is due in one advance");
  }
}

bool Board::wakes() const {
  const x86::State& state = cpu_->state();
  return !state.halted || state.nmi_pending || (interrupts_.raised() && state.rflags & kInterruptFlag);
}

bool Board::idle() const { return !off_ && !wakes(); }

RunStop Board::run(door::Position until) {
  for (;;) {
    if (off_) return RunStop::kOff;
    if (!outputs_.empty()) return RunStop::kOutput;
    if (cpu_->position() >= until) return RunStop::kPosition;
    if (idle()) return RunStop::kIdle;
    run_processor(std::min(until, clock_.first_at(deadline())));
    settle();
  }
}

void Board::run_processor(door::Position until) {
  const std::size_t taken = outputs_.size();
  const door::Position from = cpu_->position();
  in_processor_ = true;
  const cpu::StopReason reason = cpu_->run(until);
  in_processor_ = false;
  if (reason == cpu::StopReason::kShutdown) {
    // One position of its own, so that "before the shutdown" and "after it" differ.
    cpu_->set_position(cpu_->position() + 1);
    emit(door::OperatorOutput{"The guest's processor shut down after a triple fault."});
    emit(door::PowerOutput{door::PowerEvent::kReset, 0});
  } else {
    POLLUX_CHECK(cpu_->position() > from, "a processor that can run does run");
  }
  for (std::size_t i = taken; i < outputs_.size(); ++i) outputs_[i].position = cpu_->position();
}

void Board::skip_idle() {
  const door::VirtualNs wake = idle_until();
  POLLUX_CHECK(wake != door::kNever, "only a machine that waits for a time can skip to it");
  const door::Position next = cpu_->position() + 1;
  clock_.jump(next, wake);
  cpu_->set_position(next);
  settle();
}

void Board::emit(door::Output output) {
  if (std::holds_alternative<door::PowerOutput>(output)) {
    if (off_) return;
    serial_.flush();
    off_ = true;
  }
  outputs_.push_back({cpu_->position(), std::move(output)});
  wake_board();
}

void Board::pass_time(u64 ns) {
  clock_.jump(cpu_->position(), now() + ns);
  wake_board();
}

void Board::wake_board() {
  if (in_processor_) cpu_->request_stop();
}

}  // namespace pollux::machine::board
