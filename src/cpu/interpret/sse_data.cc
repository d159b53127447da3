// The rows of sse_table.h whose operands are XMM registers, memory and immediates.
#include "cpu/interpret/sse_approximate.h"
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/sse_handler.h"
#include "cpu/interpret/sse_horizontal.h"

namespace pollux::cpu::interpret {

namespace sse {

namespace {
template <class T>
bool denormal(T bits, unsigned significand_bits) {
  const T magnitude = bits & T(~T(0) >> 1);
  return magnitude != 0 && magnitude >> significand_bits == 0;
}
bool denormal_singles(u64 two) { return denormal<u32>(u32(two), 23) || denormal<u32>(u32(two >> 32), 23); }
}  // namespace

void flag_tiny(const x86::Xmm& result, Tiny lanes) {
  bool tiny = false;
  switch (lanes) {
    case Tiny::kNever: break;
    case Tiny::kSingle: tiny = denormal<u32>(u32(result.low), 23); break;
    case Tiny::kSingles: tiny = denormal_singles(result.low) || denormal_singles(result.high); break;
    case Tiny::kDouble: tiny = denormal<u64>(result.low, 52); break;
    case Tiny::kDoubles: tiny = denormal<u64>(result.low, 52) || denormal<u64>(result.high, 52); break;
  }
  if (!tiny) return;
  u32 mxcsr;
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  mxcsr |= 0x10;
  asm volatile("ldmxcsr %0" : : "m"(mxcsr));
}

}  // namespace sse

namespace {

using namespace pattern;
using sse::Alignment;
using sse::reg;
using sse::source;
using x86::Xmm;

template <XmmFunction kOp, unsigned kBytes, Tiny kTiny = Tiny::kNever>
void data(Interpreter& r, const Instruction& i) {
  const Xmm from = source<kBytes>(r, i);
  Xmm& to = reg(r, i, 0);
  kOp(to, from);
  sse::check_tiny<kTiny>(r, to);
}

template <XmmImmFunction kOp, unsigned kBytes, Tiny kTiny = Tiny::kNever>
void data_imm(Interpreter& r, const Instruction& i) {
  const Xmm from = source<kBytes>(r, i);
  Xmm& to = reg(r, i, 0);
  kOp(to, from, u8(i.immediate));
  sse::check_tiny<kTiny>(r, to);
}

// The operand with the lanes that bits 4 and up of imm8 name, zeroes elsewhere.
Xmm selected(Xmm from, u8 imm, Tiny lanes) {
  if (lanes == Tiny::kDoubles) return {imm & 0x10 ? from.low : 0, imm & 0x20 ? from.high : 0};
  const auto half = [](u64 two, unsigned bits) {
    return (bits & 1 ? two & 0xffffffff : 0) | (bits & 2 ? two & ~u64(0xffffffff) : 0);
  };
  return {half(from.low, imm >> 4), half(from.high, imm >> 6)};
}

// DPPS and DPPD: products and sums one after the other, as the manual writes them. Bits 0 and up of imm8 name the
// lanes that get the sum, the others become zero.
template <XmmFunction kMultiply, XmmFunction kAdd, unsigned kSums, Tiny kTiny>
void dot(Interpreter& r, const Instruction& i) {
  const Xmm from = source<16>(r, i);
  const u8 imm = u8(i.immediate);
  Xmm& to = reg(r, i, 0);
  Xmm value = selected(to, imm, kTiny);
  kMultiply(value, selected(from, imm, kTiny));
  sse::check_tiny<kTiny>(r, value);
  for (unsigned n = 0; n < kSums; ++n) {
    kAdd(value, Xmm(value));
    sse::check_tiny<kTiny>(r, value);
  }
  to = selected(value, u8(imm << 4), kTiny);
}

// INSERTPS takes the single that imm8 names from a register, the only one from memory (SDM vol. 2: COUNT_S is 0).
void insertps(Interpreter& r, const Instruction& i) {
  const Xmm from = source<4>(r, i);
  const u8 imm = u8(i.immediate);
  xmm::insertps(reg(r, i, 0), from, i.bits & kHasMemory ? imm & 0x3f : imm);
}

template <XmmFunction kOp>
void shift_imm(Interpreter& r, const Instruction& i) {
  kOp(reg(r, i, 0), Xmm{u8(i.immediate), 0});
}
template <void (*kOp)(Xmm&, u8)>
void shift_bytes(Interpreter& r, const Instruction& i) {
  kOp(reg(r, i, 0), u8(i.immediate));
}

template <void (*kOp)(Xmm&, const Xmm&, const Xmm&)>
void blendv(Interpreter& r, const Instruction& i) {
  const Xmm from = source<16>(r, i);
  const Xmm mask = r.s().xmm[0];
  kOp(reg(r, i, 0), from, mask);
}

template <u64 (*kOp)(const Xmm&, const Xmm&), unsigned kBytes>
void compare(Interpreter& r, const Instruction& i) {
  const Xmm from = source<kBytes>(r, i);
  r.set_arithmetic(kOp(reg(r, i, 0), from));
}

xmm::StringCompare explicit_lengths(Interpreter& r, const Instruction& i) {
  const Xmm from = source<16, Alignment::kAny>(r, i);
  return xmm::pcmpestri(reg(r, i, 0), from, r.gpr(x86::kRax), r.gpr(x86::kRdx), i.operand_size == 8, u8(i.immediate));
}
xmm::StringCompare implicit_lengths(Interpreter& r, const Instruction& i) {
  const Xmm from = source<16, Alignment::kAny>(r, i);
  return xmm::pcmpistri(reg(r, i, 0), from, u8(i.immediate));
}
template <xmm::StringCompare (*kOp)(Interpreter&, const Instruction&)>
void string_index(Interpreter& r, const Instruction& i) {
  const xmm::StringCompare out = kOp(r, i);
  r.gpr(x86::kRcx) = out.index;
  r.set_arithmetic(out.flags);
}
template <xmm::StringCompare (*kOp)(Interpreter&, const Instruction&)>
void string_mask(Interpreter& r, const Instruction& i) {
  const xmm::StringCompare out = kOp(r, i);
  r.s().xmm[0] = out.mask;
  r.set_arithmetic(out.flags);
}

constexpr u8 alignment(unsigned bytes) { return bytes == 16 ? kAligned : kPlain; }

#define POLLUX_ROW(NAME, text, bytes, ...) \
  {ZYDIS_MNEMONIC_##NAME, data<xmm::text, bytes>, {kXmm, kXmmM128}, Unit::kSse, alignment(bytes)},
#define POLLUX_ROW_IMM(NAME, text, bytes, ...) \
  {ZYDIS_MNEMONIC_##NAME, data_imm<xmm::text, bytes>, {kXmm, kXmmM128, kImm}, Unit::kSse, alignment(bytes)},
#define POLLUX_ROW_SHIFT(NAME, text, bytes) \
  {ZYDIS_MNEMONIC_##NAME, shift_imm<xmm::text>, {kXmm, kImm}, Unit::kSse},
#define POLLUX_ROW_FLOAT(NAME, text, bytes, tiny)                                                        \
  {ZYDIS_MNEMONIC_##NAME, data<xmm::text, bytes, Tiny::tiny>, {kXmm, kXmmM128}, Unit::kSse,              \
   u8(alignment(bytes) | kSimdFp)},
#define POLLUX_ROW_FLOAT_IMM(NAME, text, bytes, count, tiny)                                             \
  {ZYDIS_MNEMONIC_##NAME, data_imm<xmm::text, bytes, Tiny::tiny>, {kXmm, kXmmM128, kImm}, Unit::kSse,    \
   u8(alignment(bytes) | kSimdFp)},
#define POLLUX_ROW_DOT(NAME, multiply, add, sums, tiny)                                                  \
  {ZYDIS_MNEMONIC_##NAME, dot<xmm::multiply, xmm::add, sums, Tiny::tiny>, {kXmm, kXmmM128, kImm},        \
   Unit::kSse, kAligned | kSimdFp},
#define POLLUX_ROW_COMPARE(NAME, text, bytes) \
  {ZYDIS_MNEMONIC_##NAME, compare<xmm::text, bytes>, {kXmm, kXmmM128}, Unit::kSse, kSimdFp},
#define POLLUX_ROW_BLENDV(NAME, text) \
  {ZYDIS_MNEMONIC_##NAME, blendv<xmm::text>, {kXmm, kXmmM128}, Unit::kSse, kAligned},

constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_INSERTPS, insertps, {kXmm, kXmmM128, kImm}, Unit::kSse},
    POLLUX_SSE_INTEGER(POLLUX_ROW)
    POLLUX_SSE_SHIFT(POLLUX_ROW)
    POLLUX_SSE_SHIFT(POLLUX_ROW_SHIFT)
    POLLUX_SSE_INTEGER_IMM(POLLUX_ROW_IMM)
    POLLUX_SSE_FLOAT(POLLUX_ROW_FLOAT)
    POLLUX_SSE_FLOAT_IMM(POLLUX_ROW_FLOAT_IMM)
    POLLUX_SSE_HORIZONTAL(POLLUX_ROW_FLOAT)
    POLLUX_ROW_DOT(DPPS, mulps, haddps, 2, kSingles)
    POLLUX_ROW_DOT(DPPD, mulpd, haddpd, 1, kDoubles)
    POLLUX_SSE_COMPARE(POLLUX_ROW_COMPARE)
    POLLUX_SSE_BLENDV(POLLUX_ROW_BLENDV)
    {ZYDIS_MNEMONIC_PSLLDQ, shift_bytes<xmm::pslldq>, {kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PSRLDQ, shift_bytes<xmm::psrldq>, {kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PTEST, compare<xmm::ptest, 16>, {kXmm, kXmmM128}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_RCPPS, data<xmm::rcpps, 16>, {kXmm, kXmmM128}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_RCPSS, data<xmm::rcpss, 4>, {kXmm, kXmmM128}, Unit::kSse},
    {ZYDIS_MNEMONIC_RSQRTPS, data<xmm::rsqrtps, 16>, {kXmm, kXmmM128}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_RSQRTSS, data<xmm::rsqrtss, 4>, {kXmm, kXmmM128}, Unit::kSse},
    {ZYDIS_MNEMONIC_PCMPESTRI, string_index<explicit_lengths>, {kXmm, kXmmM128, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PCMPESTRM, string_mask<explicit_lengths>, {kXmm, kXmmM128, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PCMPISTRI, string_index<implicit_lengths>, {kXmm, kXmmM128, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PCMPISTRM, string_mask<implicit_lengths>, {kXmm, kXmmM128, kImm}, Unit::kSse},
};

constexpr Binding kAesRows[] = {POLLUX_AES(POLLUX_ROW) POLLUX_AES_IMM(POLLUX_ROW_IMM)};

}  // namespace

std::span<const Binding> sse_data_bindings() { return kRows; }
std::span<const Binding> aes_bindings() { return kAesRows; }

}  // namespace pollux::cpu::interpret
