// MXCSR on both sides. While the interpreter runs, the host's MXCSR holds the guest's rounding, flush-to-zero and
// denormals-are-zero bits with every exception masked, and the exception flags gather there; state.mxcsr holds the
// rest. So a floating-point instruction costs nothing but itself.
//
// Invariants
//  1. Between enter_guest_mxcsr and leave_guest_mxcsr, guest flags = state.mxcsr flags | host flags.
//  2. Code compiled by us does no SSE floating-point arithmetic in between: it would leave flags of its own.
#pragma once

#include "x86/state.h"

namespace pollux::cpu::interpret {

inline constexpr u32 kMxcsrFlags = 0x3f;      // PE UE OE ZE DE IE
inline constexpr u32 kMxcsrMasks = 0x1f80;    // PM UM OM ZM DM IM
inline constexpr u32 kMxcsrReserved = 0xffff0000;  // setting one is #GP; MISALIGNSSE (bit 17) does not exist here

inline u32 host_mxcsr() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value));
  return value;
}
inline void set_host_mxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value)); }

// Makes the host ready for the guest's floating point; leave returns the flags that it raised to the state and gives
// the host its default back.
inline void enter_guest_mxcsr(const x86::State& state) { set_host_mxcsr((state.mxcsr & 0xffff) | kMxcsrMasks); }
inline void leave_guest_mxcsr(x86::State& state) {
  state.mxcsr |= host_mxcsr() & kMxcsrFlags;
  set_host_mxcsr(0x1f80);
}

// For instructions that read or write MXCSR as a whole, between enter and leave.
inline u32 guest_mxcsr(x86::State& state) { return state.mxcsr |= host_mxcsr() & kMxcsrFlags; }
inline void set_guest_mxcsr(x86::State& state, u32 value) {
  state.mxcsr = value;
  enter_guest_mxcsr(state);
}

// Some exception is unmasked: the checked path of sse_float.h must be taken.
inline bool sse_unmasked(const x86::State& state) { return (state.mxcsr & kMxcsrMasks) != kMxcsrMasks; }

}  // namespace pollux::cpu::interpret
