// HADDPS, HADDPD, HSUBPS and HSUBPD from ADDPS and its like. Processors differ in which of two NaNs a sum across
// lanes takes: here it is that of the lower lane, the first operand of ADDPS. Dot products are made of these
// (sse_data.cc).
#pragma once

#include "cpu/interpret/sse_operations.h"

namespace pollux::cpu::interpret::xmm {

// They run under the host's MXCSR, as the functions of sse_operations.h do.
#define POLLUX_DECLARE(mnemonic, text, ...) void text(x86::Xmm& to, const x86::Xmm& from);
POLLUX_SSE_HORIZONTAL(POLLUX_DECLARE)
#undef POLLUX_DECLARE

}  // namespace pollux::cpu::interpret::xmm
