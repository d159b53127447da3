// What a processor needs from outside. It knows nothing of devices, nor of other processors; machine/board implements
// this face, once for each processor; tests implement it in a few lines.
//
// During a call, cpu.position() is the position of the instruction that makes it (not yet retired), so that the
// board can compute the time. A call may lead to cpu.request_stop(): the processor then returns from run() after
// that instruction.
#pragma once

#include <optional>

#include "base/integers.h"
#include "door/time_line.h"
#include "memory/address.h"
#include "x86/cpuid.h"

namespace pollux::cpu {

class Bus {
 public:
  virtual ~Bus() = default;

  // Physical accesses outside RAM; size 1, 2, 4 or 8 bytes (larger accesses come in pieces, lowest first). Where
  // nothing answers, reads give all ones and writes vanish.
  virtual u64 mmio_read(memory::PhysAddr at, unsigned size) = 0;
  virtual void mmio_write(memory::PhysAddr at, unsigned size, u64 value) = 0;

  // Port accesses; size 1, 2 or 4. An access that crosses ports comes whole.
  virtual u32 port_read(u16 port, unsigned size) = 0;
  virtual void port_write(u16 port, unsigned size, u32 value) = 0;

  // The vector of the interrupt that the controller presents, acknowledging it (SDM vol. 3, 11.8.4). Called only
  // while interrupt_line() is raised.
  virtual u8 acknowledge_interrupt() = 0;

  // Time-stamp counter before IA32_TSC_ADJUST: a function of the position alone.
  virtual u64 time_stamp_counter() = 0;
  // The same as a line, for who would rather not call: it stays where it is for the machine's life, and changes between
  // runs and during calls only. nullptr: there is none.
  virtual const door::TimeLine* time_line() const { return nullptr; }

  // Model-specific registers that belong to the local APIC: IA32_APIC_BASE, IA32_TSC_DEADLINE, x2APIC 0x800-0x8ff.
  // nullopt / false: #GP.
  virtual std::optional<u64> apic_msr_read(u32 index) = 0;
  virtual bool apic_msr_write(u32 index, u64 value) = 0;

  // CR8, the task priority (bits 3:0).
  virtual u64 task_priority() = 0;
  virtual void set_task_priority(u64 cr8) = 0;

  // Which of how many processors this is, as CPUID tells it. Fixed for the machine's life.
  virtual x86::Topology topology() const { return {}; }

  // PAUSE: the guest spins. Called before the instruction retires; where other processors wait for their turn, it leads
  // to request_stop().
  virtual void pause() {}
};

}  // namespace pollux::cpu
