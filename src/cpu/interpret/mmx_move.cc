// MMX moves, EMMS, and what passes between MMX and general registers.
#include "cpu/interpret/mmx_operations.h"
#include "cpu/interpret/mmx_registers.h"
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/sse_handler.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;

template <class T>
void load(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  mmx::write(r, i.r[0], r.load<T>(i));
}
template <class T>
void store(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  r.store<T>(i, T(mmx::read(r, i.r[1])));
  mmx::touch(r);
}
template <class T>
void from_general(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  mmx::write(r, i.r[0], r.reg<T>(i.r[1]));
}
template <class T>
void to_general(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  r.set_reg<T>(i.r[0], T(mmx::read(r, i.r[1])));
  mmx::touch(r);
}
void copy(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  mmx::write(r, i.r[0], mmx::read(r, i.r[1]));
}

void movq2dq(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  sse::reg(r, i, 0) = {mmx::read(r, i.r[1]), 0};
  mmx::touch(r);
}
void movdq2q(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  mmx::write(r, i.r[0], sse::reg(r, i, 1).low);
}

void pmovmskb(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  r.set_reg<u32>(i.r[0], u32(mmx::pmovmskb(mmx::read(r, i.r[1]))));
  mmx::touch(r);
}
void pextrw(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  r.set_reg<u32>(i.r[0], u16(mmx::read(r, i.r[1]) >> (16 * (i.immediate & 3))));
  mmx::touch(r);
}
void pinsrw(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  const u16 value = i.bits & kHasMemory ? r.load<u16>(i) : r.reg<u16>(i.r[1]);
  const unsigned shift = 16 * (i.immediate & 3);
  mmx::write(r, i.r[0], (mmx::read(r, i.r[0]) & ~(u64(0xffff) << shift)) | u64(value) << shift);
}

// As MASKMOVDQU (sse_move.cc), with eight bytes.
void maskmovq(Interpreter& r, const Instruction& i) {
  mmx::begin(r);
  const u64 data = mmx::read(r, i.r[0]);
  const unsigned mask = unsigned(mmx::pmovmskb(mmx::read(r, i.r[1])));
  if (mask != 0) {
    const unsigned first = unsigned(__builtin_ctz(mask)), last = 31 - unsigned(__builtin_clz(mask));
    const u64 offset = r.truncated(r.gpr(x86::kRdi), i.address_size);
    const u64 linear = r.linear_of(i.segment, offset, last + 1, mmu::Access::kWrite);
    r.check_write(linear + first, last + 1 - first, i.segment);
    for (unsigned n = first; n <= last; ++n)
      if (mask >> n & 1) r.write_linear<u8>(linear + n, u8(data >> (8 * n)), i.segment);
  }
  mmx::touch(r);
}

void emms(Interpreter& r, const Instruction&) {
  mmx::begin(r);
  r.s().x87.tag = 0;
  r.s().x87.status &= u16(~kX87Top);
}

constexpr Pattern kAnyR{kGprBit, 0};
constexpr Pattern kAnyRm{kGprBit | kMemBit, 0};
constexpr Unit kU = Unit::kMmx;
constexpr Binding kRows[] = {
    {ZYDIS_MNEMONIC_MOVD, from_general<u32>, {kMmx, kR32}, kU},
    {ZYDIS_MNEMONIC_MOVD, to_general<u32>, {kR32, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVD, load<u32>, {kMmx, kMem}, kU},
    {ZYDIS_MNEMONIC_MOVD, store<u32>, {kMem, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVQ, from_general<u64>, {kMmx, kR64}, kU},
    {ZYDIS_MNEMONIC_MOVQ, to_general<u64>, {kR64, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVQ, load<u64>, {kMmx, kMem}, kU},
    {ZYDIS_MNEMONIC_MOVQ, store<u64>, {kMem, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVQ, copy, {kMmx, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVNTQ, store<u64>, {kMem, kMmx}, kU},
    {ZYDIS_MNEMONIC_MOVQ2DQ, movq2dq, {kXmm, kMmx}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVDQ2Q, movdq2q, {kMmx, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PMOVMSKB, pmovmskb, {kAnyR, kMmx}, kU},
    {ZYDIS_MNEMONIC_PEXTRW, pextrw, {kAnyR, kMmx, kImm}, kU},
    {ZYDIS_MNEMONIC_PINSRW, pinsrw, {kMmx, kAnyRm, kImm}, kU},
    {ZYDIS_MNEMONIC_MASKMOVQ, maskmovq, {kMmx, kMmx}, kU},
    {ZYDIS_MNEMONIC_EMMS, emms, {}, kU},
};

}  // namespace

std::span<const Binding> mmx_move_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
