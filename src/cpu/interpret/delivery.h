// Delivery of exceptions and interrupts through the interrupt descriptor table. Source: Intel SDM vol. 3, 6.10 to
// 6.15, 20.1.4 (real mode).
#pragma once

#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

// The frame's return address is state().rip. They raise a fault when the delivery itself faults; nothing of the
// guest's registers has changed then.
void deliver_exception(Interpreter& cpu, const x86::Fault& fault);
void deliver_interrupt(Interpreter& cpu, u8 vector);  // external, NMI
void deliver_software(Interpreter& cpu, u8 vector);   // INT n, INT3, INTO

// Whether an exception while delivering another makes a double fault (table 6-5).
bool is_double_fault(x86::Exception first, x86::Exception second);

// task.h: a task gate or TSS selector as the way to switch tasks.
enum class TaskSource : u8 { kJump, kCall, kIret, kGate };
void switch_task(Interpreter& cpu, u16 selector, TaskSource source);

// Writes below a stack pointer that is not (yet) the current one, checking its segment's limit.
class StackWriter {
 public:
  StackWriter(Interpreter& cpu, const x86::Segment& ss, u64 sp, mmu::View view, u32 error)
      : cpu_(cpu), ss_(ss), sp_(sp), view_(view), error_(error) {}
  void push(u64 value, unsigned size);
  u64 sp() const { return sp_; }

 private:
  Interpreter& cpu_;
  const x86::Segment& ss_;
  u64 sp_;
  mmu::View view_;
  u32 error_;  // of #SS
};

}  // namespace pollux::cpu::interpret
