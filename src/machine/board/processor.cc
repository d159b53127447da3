#include "machine/board/processor.h"

#include "machine/board/board.h"

namespace pollux::machine::board {

using device::Lapic;

namespace {
constexpr u64 kInterruptFlag = 1 << 9;
}

bool Processor::can_run() const {
  if (waits_) return false;
  const x86::State& state = cpu_->state();
  return !state.halted || (state.nmi_pending && !state.nmi_blocked) ||
         (board_.interrupts_.raised(number()) && state.rflags & kInterruptFlag);
}

void Processor::init() {
  board_.interrupts_.lapic(number()).init();
  cpu_->state().init();
  cpu_->state_changed();
  waits_ = true;
}

void Processor::start_up(u8 vector) {
  if (!waits_) return;
  waits_ = false;
  cpu_->state().start_up(vector);
  cpu_->state_changed();
}

u64 Processor::mmio_read(memory::PhysAddr at, unsigned size) {
  if (const auto where = board_.place(number(), at.value, size)) {
    return where->registers->read(where->offset, size);
  }
  return size >= 8 ? ~u64{0} : (u64{1} << (size * 8)) - 1;
}

void Processor::mmio_write(memory::PhysAddr at, unsigned size, u64 value) {
  if (const auto where = board_.place(number(), at.value, size)) where->registers->write(where->offset, size, value);
}

u32 Processor::port_read(u16 port, unsigned size) { return board_.ports_.read(port, size); }
void Processor::port_write(u16 port, unsigned size, u32 value) { board_.ports_.write(port, size, value); }

u8 Processor::acknowledge_interrupt() { return board_.interrupts_.acknowledge(number()); }

u64 Processor::time_stamp_counter() { return board_.now().value; }
const door::TimeLine* Processor::time_line() const { return &board_.clock_.line(); }

// The guest's counter is the bus's plus IA32_TSC_ADJUST, and its deadline is in the guest's counter.
std::optional<u64> Processor::apic_msr_read(u32 index) {
  const std::optional<u64> value = board_.interrupts_.lapic(number()).msr_read(index);
  if (index == Lapic::kMsrTscDeadline && value && *value != 0) return *value + cpu_->state().tsc_adjust;
  return value;
}

bool Processor::apic_msr_write(u32 index, u64 value) {
  if (index == Lapic::kMsrTscDeadline && value != 0) {
    const u64 adjust = cpu_->state().tsc_adjust;
    const bool passed = i64(value - adjust) <= 0;  // before power-on
    value = passed ? 1 : value - adjust;
  }
  return board_.interrupts_.lapic(number()).msr_write(index, value);
}

u64 Processor::task_priority() { return board_.interrupts_.lapic(number()).task_priority(); }
void Processor::set_task_priority(u64 cr8) { board_.interrupts_.lapic(number()).set_task_priority(cr8); }

void Processor::pause() {
  if (topology_.processors > 1) board_.pause();
}

}  // namespace pollux::machine::board
