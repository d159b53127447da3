// SSE moves. The non-temporal ones are ordinary moves: a cache is not part of this machine.
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/sse_handler.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using sse::reg;
using sse::source;
using x86::Xmm;

void copy(Interpreter& r, const Instruction& i) { reg(r, i, 0) = reg(r, i, 1); }
void load_aligned(Interpreter& r, const Instruction& i) { reg(r, i, 0) = r.load_aligned<Xmm>(i); }
void load_unaligned(Interpreter& r, const Instruction& i) { reg(r, i, 0) = r.load<Xmm>(i); }
void store_aligned(Interpreter& r, const Instruction& i) { r.store_aligned<Xmm>(i, reg(r, i, 1)); }
void store_unaligned(Interpreter& r, const Instruction& i) { r.store<Xmm>(i, reg(r, i, 1)); }

// Low or high halves.
void load_low(Interpreter& r, const Instruction& i) { reg(r, i, 0).low = r.load<u64>(i); }
void load_high(Interpreter& r, const Instruction& i) { reg(r, i, 0).high = r.load<u64>(i); }
void store_low(Interpreter& r, const Instruction& i) { r.store<u64>(i, reg(r, i, 1).low); }
void store_high(Interpreter& r, const Instruction& i) { r.store<u64>(i, reg(r, i, 1).high); }
void movhlps(Interpreter& r, const Instruction& i) { reg(r, i, 0).low = reg(r, i, 1).high; }
void movlhps(Interpreter& r, const Instruction& i) { reg(r, i, 0).high = reg(r, i, 1).low; }

// One float: a load clears what is above, a copy keeps it.
void movss_copy(Interpreter& r, const Instruction& i) {
  u64& to = reg(r, i, 0).low;
  to = (to & ~u64(0xffffffff)) | u32(reg(r, i, 1).low);
}
void movsd_copy(Interpreter& r, const Instruction& i) { reg(r, i, 0).low = reg(r, i, 1).low; }
void load_32(Interpreter& r, const Instruction& i) { reg(r, i, 0) = {r.load<u32>(i), 0}; }
void load_64(Interpreter& r, const Instruction& i) { reg(r, i, 0) = {r.load<u64>(i), 0}; }
void store_32(Interpreter& r, const Instruction& i) { r.store<u32>(i, u32(reg(r, i, 1).low)); }

// Integers.
template <class T>
void from_general(Interpreter& r, const Instruction& i) { reg(r, i, 0) = {r.reg<T>(i.r[1]), 0}; }
template <class T>
void to_general(Interpreter& r, const Instruction& i) { r.set_reg<T>(i.r[0], T(reg(r, i, 1).low)); }
void movq_copy(Interpreter& r, const Instruction& i) { reg(r, i, 0) = {reg(r, i, 1).low, 0}; }

// The bytes of the first operand whose mask bytes have their sign set go to DS:rDI. Bytes without it are neither
// written nor checked for faults, which the manual leaves to the implementation.
void maskmovdqu(Interpreter& r, const Instruction& i) {
  const Xmm data = reg(r, i, 0);
  const unsigned mask = unsigned(xmm::pmovmskb(reg(r, i, 1)));
  if (mask == 0) return;
  const unsigned first = unsigned(__builtin_ctz(mask)), last = 31 - unsigned(__builtin_clz(mask));
  const u64 offset = r.truncated(r.gpr(x86::kRdi), i.address_size);
  const u64 linear = r.linear_of(i.segment, offset, last + 1, mmu::Access::kWrite);
  r.check_write(linear + first, last + 1 - first, i.segment);
  for (unsigned n = first; n <= last; ++n) {
    if (!(mask >> n & 1)) continue;
    r.write_linear<u8>(linear + n, u8((n < 8 ? data.low : data.high) >> (8 * (n & 7))), i.segment);
  }
}

#define POLLUX_MOVE(NAME, load, store, traits)                                   \
  {ZYDIS_MNEMONIC_##NAME, copy, {kXmm, kXmm}, Unit::kSse},                       \
  {ZYDIS_MNEMONIC_##NAME, load, {kXmm, kMem}, Unit::kSse, traits},               \
  {ZYDIS_MNEMONIC_##NAME, store, {kMem, kXmm}, Unit::kSse, traits}

constexpr Binding kRows[] = {
    POLLUX_MOVE(MOVAPS, load_aligned, store_aligned, kAligned),
    POLLUX_MOVE(MOVAPD, load_aligned, store_aligned, kAligned),
    POLLUX_MOVE(MOVDQA, load_aligned, store_aligned, kAligned),
    POLLUX_MOVE(MOVUPS, load_unaligned, store_unaligned, kPlain),
    POLLUX_MOVE(MOVUPD, load_unaligned, store_unaligned, kPlain),
    POLLUX_MOVE(MOVDQU, load_unaligned, store_unaligned, kPlain),
    {ZYDIS_MNEMONIC_LDDQU, load_unaligned, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVNTDQA, load_aligned, {kXmm, kMem}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_MOVNTDQ, store_aligned, {kMem, kXmm}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_MOVNTPS, store_aligned, {kMem, kXmm}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_MOVNTPD, store_aligned, {kMem, kXmm}, Unit::kSse, kAligned},
    {ZYDIS_MNEMONIC_MOVLPS, load_low, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVLPS, store_low, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVLPD, load_low, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVLPD, store_low, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVHPS, load_high, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVHPS, store_high, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVHPD, load_high, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVHPD, store_high, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVHLPS, movhlps, {kXmm, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVLHPS, movlhps, {kXmm, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSS, movss_copy, {kXmm, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSS, load_32, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSS, store_32, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSD, movsd_copy, {kXmm, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSD, load_64, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVSD, store_low, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVD, from_general<u32>, {kXmm, kR32}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVD, to_general<u32>, {kR32, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVD, load_32, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVD, store_32, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVQ, from_general<u64>, {kXmm, kR64}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVQ, to_general<u64>, {kR64, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVQ, load_64, {kXmm, kMem}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVQ, store_low, {kMem, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVQ, movq_copy, {kXmm, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MASKMOVDQU, maskmovdqu, {kXmm, kXmm}, Unit::kSse},
};

}  // namespace

std::span<const Binding> sse_move_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
