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
  if (const auto fault = cpu.attempt([&] { i.unchecked(cpu, i); })) {  // the operand's
    _mm_setcsr(before);
    cpu.raise(*fault);
  }
  u32 raised = _mm_getcsr() & 0x3f;
  const u32 masks = cpu.s().mxcsr >> 7 & 0x3f;
  // An unmasked #I, #D or #Z comes before anything is computed, so nothing overflows, underflows or is inexact.
  constexpr u32 kBefore = 7;
  if (raised & ~masks & kBefore) raised &= kBefore;
  _mm_setcsr(before | raised);
  if (!(raised & ~masks)) return;
  cpu.s().xmm = saved_xmm;
  cpu.s().gpr = saved_gpr;
  cpu.s().x87 = saved_x87;
  cpu.set_arithmetic_raw(saved_flags);
  cpu.raise(cpu.s().cr4 & x86::kCr4Osxmmexcpt ? x86::Exception::kSimd : x86::Exception::kInvalidOpcode);
}

}  // namespace pollux::cpu::interpret
