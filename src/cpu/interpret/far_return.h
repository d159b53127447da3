// Returns to the same or an outer privilege level: far RET and IRET.
#pragma once

#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

struct FarReturn {
  u64 rip = 0;
  u16 cs = 0;
  unsigned size = 8;          // of a stack slot
  u64 stack_offset = 0;       // of the outer rsp and ss, from the current rsp
  u64 release = 0;            // bytes of parameters (RET n), on both stacks
  bool iret = false;
  u64 flags = 0;              // IRET: as read from the stack
};

// Checks and commits; protected and long mode.
void return_to(Interpreter& cpu, const FarReturn& to);
void return_from_interrupt(Interpreter& cpu, const Instruction& i);

}  // namespace pollux::cpu::interpret
