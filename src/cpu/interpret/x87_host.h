// The host's x87 unit as a calculator: each function executes one instruction on copied operands under the guest's
// control word and says what came out. IEEE-exact instructions only. What processors differ in is computed elsewhere:
// the transcendental functions in x87_transcendental.h, finite remainders in x87_remainder.h, decimal loads by their
// handler.
//
// How: the exceptions may be unmasked in the control word. An unmasked one stays pending on the host, which traps at
// the next waiting instruction only; each function collects the status word and clears it before that. So the
// adjusted results of unmasked overflow and underflow come from the host too.
//
// Invariants
//  1. The host's x87 is left empty, without flags, with control word 0x37f (the ABI's state).
//  2. Outcome::status is the host's status word: exception flags and condition codes. TOP in it means nothing.
#pragma once

#include "x86/state.h"

namespace pollux::cpu::interpret::x87_host {

struct Outcome {
  x86::X87Register value;
  u16 status = 0;
};

// Destination op source: FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR.
using Binary = Outcome (*)(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fadd(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fmul(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fsub(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fsubr(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fdiv(const x86::X87Register& to, const x86::X87Register& from, u16 control);
Outcome fdivr(const x86::X87Register& to, const x86::X87Register& from, u16 control);

// The same with a source in a memory format. from: the bits of the operand, low bytes first.
enum class Format : u8 { kFloat32, kFloat64, kInt16, kInt32 };
template <Format format>
struct Memory {
  using Function = Outcome (*)(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fadd(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fmul(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fsub(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fsubr(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fdiv(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fdivr(const x86::X87Register& to, u64 from, u16 control);
  static Outcome fcom(const x86::X87Register& to, u64 from, u16 control);  // value: unchanged
};

// ST(0) and ST(1) to a new ST(0). Remainders: where one of the two is no finite number or is zero.
Outcome fscale(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
Outcome fprem(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
Outcome fprem1(const x86::X87Register& st0, const x86::X87Register& st1, u16 control);
// ST(0) to a new ST(0).
Outcome fsqrt(const x86::X87Register& st0, u16 control);
Outcome frndint(const x86::X87Register& st0, u16 control);
// Comparisons: condition codes and exceptions in status. control: with its exceptions masked.
u16 fcom(const x86::X87Register& st0, const x86::X87Register& from, u16 control);
u16 fucom(const x86::X87Register& st0, const x86::X87Register& from, u16 control);
u16 ftst(const x86::X87Register& st0, u16 control);
u16 fxam(const x86::X87Register& st0);

struct Extracted {
  x86::X87Register exponent, significand;
  u16 status;
};
Extracted fxtract(const x86::X87Register& st0, u16 control);

// Loads, to the 80-bit format. control: with its exceptions masked. status tells those that there are.
Outcome fld_m32(u64 from, u16 control);
Outcome fld_m64(u64 from, u16 control);
Outcome fild_m16(u64 from, u16 control);
Outcome fild_m32(u64 from, u16 control);
Outcome fild_m64(u64 from, u16 control);

// Constants, rounded as the control word says.
x86::X87Register fld1(u16 control);
x86::X87Register fldl2t(u16 control);
x86::X87Register fldl2e(u16 control);
x86::X87Register fldpi(u16 control);
x86::X87Register fldlg2(u16 control);
x86::X87Register fldln2(u16 control);
x86::X87Register fldz(u16 control);

// Stores: value's bytes are those for memory. After an unmasked #I, #O or #U nothing is to be stored.
Outcome fst_m32(const x86::X87Register& st0, u16 control);
Outcome fst_m64(const x86::X87Register& st0, u16 control);
Outcome fist_m16(const x86::X87Register& st0, u16 control);
Outcome fist_m32(const x86::X87Register& st0, u16 control);
Outcome fist_m64(const x86::X87Register& st0, u16 control);
Outcome fisttp_m16(const x86::X87Register& st0, u16 control);
Outcome fisttp_m32(const x86::X87Register& st0, u16 control);
Outcome fisttp_m64(const x86::X87Register& st0, u16 control);
Outcome fbstp(const x86::X87Register& st0, u16 control);

}  // namespace pollux::cpu::interpret::x87_host
