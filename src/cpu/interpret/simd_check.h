// Unmasked SIMD floating-point exceptions: the slow path around handlers marked kSimdFp.
#pragma once

#include "cpu/interpret/instruction.h"

namespace pollux::cpu::interpret {

// Runs the instruction's own handler, looks at the exceptions it raised, and on an unmasked one restores registers
// and flags and raises #XM, or #UD while CR4.OSXMMEXCPT is clear. Used in blocks decoded while MXCSR unmasks any.
void checked_simd(Interpreter& cpu, const Instruction& i);

}  // namespace pollux::cpu::interpret
