// The rows of mmx_table.h, and the conversions between MMX and XMM.
#include "cpu/interpret/mmx_operations.h"
#include "cpu/interpret/mmx_registers.h"
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/sse_handler.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using x86::Xmm;

template <unsigned kBytes>
u64 source(Interpreter& r, const Instruction& i) {
  if (!(i.bits & kHasMemory)) return mmx::read(r, i.r[1]);
  if constexpr (kBytes == 4) return r.load<u32>(i);
  return r.load<u64>(i);
}

template <mmx::Function kOp, unsigned kBytes>
void data(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  const u64 from = source<kBytes>(r, i);
  mmx::write(r, i.r[0], kOp(mmx::read(r, i.r[0]), from));
}

template <u64 (*kOp)(u64, u64, u8), unsigned kBytes>
void data_imm(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  const u64 from = source<kBytes>(r, i);
  mmx::write(r, i.r[0], kOp(mmx::read(r, i.r[0]), from, u8(i.immediate)));
}

template <mmx::Function kOp>
void shift_imm(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  mmx::write(r, i.r[0], kOp(mmx::read(r, i.r[0]), u8(i.immediate)));
}

// To MMX from XMM or memory.
template <u64 (*kOp)(const Xmm&), unsigned kBytes>
void to_mmx(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  const Xmm from = sse::source<kBytes>(r, i);
  mmx::write(r, i.r[0], kOp(from));
}

// To XMM from MMX or memory. With a memory source CVTPI2PD leaves the x87 state alone; CVTPI2PS does not
// (SDM vol. 2, CVTPI2PS, CVTPI2PD).
template <void (*kOp)(Xmm&, u64), bool kAlwaysMmx>
void from_mmx(Interpreter& r, const Instruction& i) {
  const bool mmx_side = kAlwaysMmx || !(i.bits & kHasMemory);
  if (mmx_side) mmx::begin(r);
  const u64 from = source<8>(r, i);
  if (mmx_side) mmx::touch(r);
  kOp(sse::reg(r, i, 0), from);
}

#define POLLUX_ROW(NAME, text, bytes) {ZYDIS_MNEMONIC_##NAME, data<mmx::text, bytes>, {kMmx, kMmxM64}, Unit::kMmx},
#define POLLUX_ROW_SHIFT(NAME, text, bytes) \
  {ZYDIS_MNEMONIC_##NAME, shift_imm<mmx::text>, {kMmx, kImm}, Unit::kMmx},
#define POLLUX_ROW_IMM(NAME, text, bytes, ...) \
  {ZYDIS_MNEMONIC_##NAME, data_imm<mmx::text, bytes>, {kMmx, kMmxM64, kImm}, Unit::kMmx},

constexpr Binding kRows[] = {
    POLLUX_MMX(POLLUX_ROW)
    POLLUX_MMX_SHIFT(POLLUX_ROW)
    POLLUX_MMX_SHIFT(POLLUX_ROW_SHIFT)
    POLLUX_MMX_IMM(POLLUX_ROW_IMM)
    {ZYDIS_MNEMONIC_CVTPS2PI, to_mmx<mmx::cvtps2pi, 8>, {kMmx, kXmmM128}, Unit::kSse, kSimdFp},
    {ZYDIS_MNEMONIC_CVTTPS2PI, to_mmx<mmx::cvttps2pi, 8>, {kMmx, kXmmM128}, Unit::kSse, kSimdFp},
    {ZYDIS_MNEMONIC_CVTPD2PI, to_mmx<mmx::cvtpd2pi, 16>, {kMmx, kXmmM128}, Unit::kSse, kSimdFp | kAligned},
    {ZYDIS_MNEMONIC_CVTTPD2PI, to_mmx<mmx::cvttpd2pi, 16>, {kMmx, kXmmM128}, Unit::kSse, kSimdFp | kAligned},
    {ZYDIS_MNEMONIC_CVTPI2PS, from_mmx<mmx::cvtpi2ps, true>, {kXmm, kMmxM64}, Unit::kSse, kSimdFp},
    {ZYDIS_MNEMONIC_CVTPI2PD, from_mmx<mmx::cvtpi2pd, false>, {kXmm, kMmxM64}, Unit::kSse, kSimdFp},
};

}  // namespace

std::span<const Binding> mmx_data_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
