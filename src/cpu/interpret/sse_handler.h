// What the SSE handlers of all files have in common: the source operand in its forms, and the sign of a tiny result.
#pragma once

#include "cpu/interpret/interpreter.h"
#include "cpu/interpret/sse_operations.h"

namespace pollux::cpu::interpret::sse {

enum class Alignment : u8 { kAny, kSixteen };

inline x86::Xmm& reg(Interpreter& r, const Instruction& i, unsigned place) { return r.s().xmm[i.r[place]]; }

// The operand at a place as an XMM value: a register, or kBytes of memory with zeroes above. A legacy SSE operand of 16
// bytes must be aligned, unless its instruction is one for unaligned data.
template <unsigned kBytes, Alignment kAlignment = kBytes == 16 ? Alignment::kSixteen : Alignment::kAny>
x86::Xmm source(Interpreter& r, const Instruction& i, unsigned place = 1) {
  if (!(i.bits & kHasMemory)) return reg(r, i, place);
  if constexpr (kBytes == 16) {
    return kAlignment == Alignment::kSixteen ? r.load_aligned<x86::Xmm>(i) : r.load<x86::Xmm>(i);
  } else if constexpr (kBytes == 8) {
    return {r.load<u64>(i), 0};
  } else if constexpr (kBytes == 4) {
    return {r.load<u32>(i), 0};
  } else {
    static_assert(kBytes == 2);
    return {r.load<u16>(i), 0};
  }
}

// With underflow unmasked, an exact result that is denormal is an underflow too (SDM vol. 1, 11.5.2.5), which the
// host does not report while it masks the exception. Adds the flag to the host's MXCSR then; the interpreter finds it
// there.
void flag_tiny(const x86::Xmm& result, Tiny lanes);

template <Tiny kLanes>
void check_tiny(Interpreter& r, const x86::Xmm& result) {
  constexpr u32 kUnderflowMask = 1u << 11;
  if constexpr (kLanes != Tiny::kNever) {
    if (!(r.s().mxcsr & kUnderflowMask)) [[unlikely]] flag_tiny(result, kLanes);
  }
}

}  // namespace pollux::cpu::interpret::sse
