// RCPPS, RCPSS, RSQRTPS and RSQRTSS, whose results differ between makers and models of processors. Here they are
// computed in integers, so they are the same on every host, in both engines.
//
// Method: the exact reciprocal (or reciprocal square root) of the 24-bit significand, rounded to nearest to 13
// significant bits, a half away from zero: relative error at most 2^-13, inside the 1.5 * 2^-12 that the manual
// allows. Monotonic, and exact for powers of two (of four). A denormal source counts as a zero of its sign whatever
// MXCSR says, a tiny result becomes a zero of its sign, NaN operands become quiet; MXCSR is neither read nor written
// (SDM vol. 2, RCPPS and RSQRTPS).
#pragma once

#include "x86/state.h"

namespace pollux::cpu::interpret {

u32 approximate_reciprocal(u32 single);
u32 approximate_reciprocal_root(u32 single);

namespace xmm {
void rcpps(x86::Xmm& to, const x86::Xmm& from);
void rcpss(x86::Xmm& to, const x86::Xmm& from);
void rsqrtps(x86::Xmm& to, const x86::Xmm& from);
void rsqrtss(x86::Xmm& to, const x86::Xmm& from);
}  // namespace xmm

}  // namespace pollux::cpu::interpret
