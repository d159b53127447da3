// What the x87 handlers of all files have in common: the check for a pending exception, the pointers to the last
// instruction, and operands by place.
//
// The rule for FOP, FIP and FDP, in which makers of processors differ: each x87 instruction other than the control
// ones (FINIT, FLDCW, FSTENV ...) stores its own address in FIP, its opcode in FOP and, when it has a memory operand,
// that operand's offset in FDP, once it has begun, that is after its last memory fault. FCS and FDS are always zero
// (as on processors with CPUID.7:EBX[13]). All engines keep them in State.
#pragma once

#include "cpu/interpret/interpreter.h"
#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret::x87 {

// #MF when an exception is pending; every waiting instruction begins with it. Without CR0.NE the processor would
// signal an external interrupt; this machine ignores the exception then, as a PC does while IGNNE# is asserted.
inline void wait(Interpreter& r) {
  if (r.s().x87.status & kX87Es) [[unlikely]] {
    if (r.s().cr0 & x86::kCr0Ne) r.raise(x86::Exception::kX87);
  }
}

inline void note_instruction(Interpreter& r, const Instruction& i) {
  x86::X87& f = r.s().x87;
  f.instruction_pointer = r.instruction_rip();
  f.opcode = i.immediate2 & 0x7ff;
  if (i.bits & kHasMemory) {
    const u64 offset = r.effective_address(i);
    f.data_pointer = i.address_size == 8 ? offset : i.address_size == 4 ? u32(offset) : u16(offset);
  }
}

// The beginning of an instruction without memory operand.
inline X87Stack begin(Interpreter& r, const Instruction& i) {
  wait(r);
  note_instruction(r, i);
  return X87Stack(r.s().x87);
}

// The beginning of an instruction that reads memory: the pending exception comes before a fault of the access.
template <class T>
X87Stack begin_load(Interpreter& r, const Instruction& i, T& value) {
  wait(r);
  value = r.load<T>(i);
  note_instruction(r, i);
  return X87Stack(r.s().x87);
}

}  // namespace pollux::cpu::interpret::x87
