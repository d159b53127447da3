// What each MMX data instruction does to copied operands: one function for each row of mmx_table.h, executing that
// very instruction on the host. The host's MMX registers share its x87 unit, which every function leaves empty (EMMS).
// The guest's x87 side of an MMX instruction is in mmx_registers.h.
#pragma once

#include "base/integers.h"
#include "cpu/interpret/mmx_table.h"
#include "x86/state.h"

namespace pollux::cpu::interpret::mmx {

using Function = u64 (*)(u64 to, u64 from);

// The new destination, from the old one and the source.
#define POLLUX_DECLARE(mnemonic, text, ...) u64 text(u64 to, u64 from);
POLLUX_MMX(POLLUX_DECLARE)
POLLUX_MMX_SHIFT(POLLUX_DECLARE)
#undef POLLUX_DECLARE
#define POLLUX_DECLARE(mnemonic, text, ...) u64 text(u64 to, u64 from, u8 imm);
POLLUX_MMX_IMM(POLLUX_DECLARE)
#undef POLLUX_DECLARE

u64 pmovmskb(u64 from);

// Between MMX values and XMM: floating point under the host's MXCSR, as in sse_operations.h.
u64 cvtps2pi(const x86::Xmm& from);
u64 cvttps2pi(const x86::Xmm& from);
u64 cvtpd2pi(const x86::Xmm& from);
u64 cvttpd2pi(const x86::Xmm& from);
void cvtpi2ps(x86::Xmm& to, u64 from);
void cvtpi2pd(x86::Xmm& to, u64 from);

}  // namespace pollux::cpu::interpret::mmx
