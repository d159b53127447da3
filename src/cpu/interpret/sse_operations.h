// What each SSE and AES data instruction does to copied operands: one function for each row of sse_table.h, named as
// the instruction, which executes that very instruction on the host's vector unit. So results are right by
// construction and the same on every host (not here are the approximating instructions, sse_approximate.h,
// and those in which makers choose among NaNs differently, sse_horizontal.h).
//
//   xmm::paddb(to, from)            to is the destination before and after; from the source, of which an
//   xmm::pshufd(to, from, imm8)     instruction with a short memory source reads the low bytes only
//
// Invariants
//  1. Nothing here reads or writes guest memory or State, and no function faults.
//  2. The floating-point functions run under the host's MXCSR as it stands (sse_control.h) and leave their exception
//     flags in it. Exceptions must be masked there.
//  3. AVX is never used: the upper halves of host registers are not state.
#pragma once

#include "cpu/interpret/mmx_table.h"
#include "cpu/interpret/sse_table.h"
#include "x86/state.h"

namespace pollux::cpu::interpret {

// Lanes of a result in which a denormal number is a tiny result: all singles, the lowest one, and so on.
enum class Tiny : u8 { kNever, kSingle, kSingles, kDouble, kDoubles };

using XmmFunction = void (*)(x86::Xmm& to, const x86::Xmm& from);
using XmmImmFunction = void (*)(x86::Xmm& to, const x86::Xmm& from, u8 imm);

namespace xmm {

#define POLLUX_DECLARE(mnemonic, text, ...) void text(x86::Xmm& to, const x86::Xmm& from);
POLLUX_SSE_INTEGER(POLLUX_DECLARE)
POLLUX_SSE_SHIFT(POLLUX_DECLARE)
POLLUX_SSE_FLOAT(POLLUX_DECLARE)
POLLUX_AES(POLLUX_DECLARE)
#undef POLLUX_DECLARE

#define POLLUX_DECLARE(mnemonic, text, ...) void text(x86::Xmm& to, const x86::Xmm& from, u8 imm);
POLLUX_SSE_INTEGER_IMM(POLLUX_DECLARE)
POLLUX_SSE_INSERT(POLLUX_DECLARE)
POLLUX_SSE_FLOAT_IMM(POLLUX_DECLARE)
POLLUX_AES_IMM(POLLUX_DECLARE)
#undef POLLUX_DECLARE

// Whole-register byte shifts; the source is the destination.
void pslldq(x86::Xmm& to, u8 count);
void psrldq(x86::Xmm& to, u8 count);

#define POLLUX_DECLARE(mnemonic, text) void text(x86::Xmm& to, const x86::Xmm& from, const x86::Xmm& mask);
POLLUX_SSE_BLENDV(POLLUX_DECLARE)
#undef POLLUX_DECLARE

// The six arithmetic flags that the instruction leaves, at their places in RFLAGS.
#define POLLUX_DECLARE(mnemonic, text, ...) u64 text(const x86::Xmm& a, const x86::Xmm& b);
POLLUX_SSE_COMPARE(POLLUX_DECLARE)
#undef POLLUX_DECLARE
u64 ptest(const x86::Xmm& a, const x86::Xmm& b);

#define POLLUX_DECLARE(mnemonic, text)             \
  void text##_32(x86::Xmm& to, u64 from);          \
  void text##_64(x86::Xmm& to, u64 from);
POLLUX_SSE_FROM_INTEGER(POLLUX_DECLARE)
#undef POLLUX_DECLARE
#define POLLUX_DECLARE(mnemonic, text, bytes)      \
  u64 text##_32(const x86::Xmm& from);             \
  u64 text##_64(const x86::Xmm& from);
POLLUX_SSE_TO_INTEGER(POLLUX_DECLARE)
#undef POLLUX_DECLARE

u64 movmskps(const x86::Xmm& from);
u64 movmskpd(const x86::Xmm& from);
u64 pmovmskb(const x86::Xmm& from);

// The packed string comparisons. wide: REX.W, lengths are 64-bit values.
struct StringCompare {
  u64 index = 0;   // of PCMPxSTRI, for ECX
  x86::Xmm mask;   // of PCMPxSTRM, for XMM0
  u64 flags = 0;   // the six arithmetic flags
};
StringCompare pcmpestri(const x86::Xmm& a, const x86::Xmm& b, u64 rax, u64 rdx, bool wide, u8 imm);
StringCompare pcmpistri(const x86::Xmm& a, const x86::Xmm& b, u8 imm);
inline StringCompare pcmpestrm(const x86::Xmm& a, const x86::Xmm& b, u64 rax, u64 rdx, bool wide, u8 imm) {
  return pcmpestri(a, b, rax, rdx, wide, imm);
}
inline StringCompare pcmpistrm(const x86::Xmm& a, const x86::Xmm& b, u8 imm) { return pcmpistri(a, b, imm); }

}  // namespace xmm
}  // namespace pollux::cpu::interpret
