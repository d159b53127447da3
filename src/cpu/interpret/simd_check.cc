#include "cpu/interpret/simd_check.h"

#include <xmmintrin.h>

#include "cpu/interpret/instruction_table.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

void checked_simd(Interpreter& cpu, const Instruction& i) {
  const auto saved_xmm = cpu.s().xmm;
  const auto saved_gpr = cpu.s().gpr;
  const auto saved_x87 = cpu.s().x87;
  const u16 saved_flags = cpu.arithmetic();
  const u32 before = _mm_getcsr();
  _mm_setcsr(before & ~0x3fu);
  i.unchecked(cpu, i);
  const u32 raised = _mm_getcsr() & 0x3f;
  _mm_setcsr((before & ~0x3fu) | (before & 0x3f) | raised);
  const u32 masks = cpu.s().mxcsr >> 7 & 0x3f;
  if (!(raised & ~masks)) return;
  cpu.s().xmm = saved_xmm;
  cpu.s().gpr = saved_gpr;
  cpu.s().x87 = saved_x87;
  cpu.set_arithmetic_raw(saved_flags);
  cpu.raise(cpu.s().cr4 & x86::kCr4Osxmmexcpt ? x86::Exception::kSimd : x86::Exception::kInvalidOpcode);
}

}  // namespace pollux::cpu::interpret
