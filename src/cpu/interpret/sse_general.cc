// SSE instructions between XMM and general registers: conversions, masks, extraction and insertion.
#include "cpu/interpret/sse_bindings.h"
#include "cpu/interpret/sse_handler.h"

namespace pollux::cpu::interpret {

namespace {

using namespace pattern;
using sse::reg;
using sse::source;
using x86::Xmm;

// ---- integers to and from floating point ----
template <class T, void (*kOp)(Xmm&, u64)>
void from_integer(Interpreter& r, const Instruction& i) {
  const T from = i.bits & kHasMemory ? r.load<T>(i) : r.reg<T>(i.r[1]);
  kOp(reg(r, i, 0), from);
}
template <class T, u64 (*kOp)(const Xmm&), unsigned kBytes>
void to_integer(Interpreter& r, const Instruction& i) {
  r.set_reg<T>(i.r[0], T(kOp(source<kBytes>(r, i))));
}

// ---- sign bits ----
template <u64 (*kOp)(const Xmm&)>
void mask(Interpreter& r, const Instruction& i) {
  r.set_reg<u32>(i.r[0], u32(kOp(reg(r, i, 1))));
}

// ---- one element ----
template <class T>
T element(const Xmm& from, unsigned n) {
  T value;
  std::memcpy(&value, reinterpret_cast<const char*>(&from) + (n % (16 / sizeof(T))) * sizeof(T), sizeof value);
  return value;
}
template <class T>
void set_element(Xmm& to, unsigned n, T value) {
  std::memcpy(reinterpret_cast<char*>(&to) + (n % (16 / sizeof(T))) * sizeof(T), &value, sizeof value);
}

template <class T>
void extract(Interpreter& r, const Instruction& i) {
  const T value = element<T>(reg(r, i, 1), u8(i.immediate));
  if (i.bits & kHasMemory) return r.store<T>(i, value);
  if constexpr (sizeof(T) == 8) {
    r.set_reg<u64>(i.r[0], value);
  } else {
    r.set_reg<u32>(i.r[0], value);
  }
}
template <class T>
void insert(Interpreter& r, const Instruction& i) {
  const T value = i.bits & kHasMemory ? r.load<T>(i) : r.reg<T>(i.r[1]);
  set_element<T>(reg(r, i, 0), u8(i.immediate), value);
}

constexpr Pattern kAnyRm{kGprBit | kMemBit, 0};
constexpr Pattern kAnyR{kGprBit, 0};

#define POLLUX_ROW_FROM(NAME, text)                                                                          \
  {ZYDIS_MNEMONIC_##NAME, from_integer<u32, xmm::text##_32>, {kXmm, kRm32}, Unit::kSse, kSimdFp},            \
  {ZYDIS_MNEMONIC_##NAME, from_integer<u64, xmm::text##_64>, {kXmm, kRm64}, Unit::kSse, kSimdFp},
#define POLLUX_ROW_TO(NAME, text, bytes)                                                                     \
  {ZYDIS_MNEMONIC_##NAME, to_integer<u32, xmm::text##_32, bytes>, {kR32, kXmmM128}, Unit::kSse, kSimdFp},    \
  {ZYDIS_MNEMONIC_##NAME, to_integer<u64, xmm::text##_64, bytes>, {kR64, kXmmM128}, Unit::kSse, kSimdFp},

constexpr Binding kRows[] = {
    POLLUX_SSE_FROM_INTEGER(POLLUX_ROW_FROM)
    POLLUX_SSE_TO_INTEGER(POLLUX_ROW_TO)
    {ZYDIS_MNEMONIC_MOVMSKPS, mask<xmm::movmskps>, {kAnyR, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_MOVMSKPD, mask<xmm::movmskpd>, {kAnyR, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PMOVMSKB, mask<xmm::pmovmskb>, {kAnyR, kXmm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PEXTRB, extract<u8>, {kAnyRm, kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PEXTRW, extract<u16>, {kAnyRm, kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PEXTRD, extract<u32>, {kAnyRm, kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PEXTRQ, extract<u64>, {kAnyRm, kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_EXTRACTPS, extract<u32>, {kAnyRm, kXmm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PINSRB, insert<u8>, {kXmm, kAnyRm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PINSRW, insert<u16>, {kXmm, kAnyRm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PINSRD, insert<u32>, {kXmm, kAnyRm, kImm}, Unit::kSse},
    {ZYDIS_MNEMONIC_PINSRQ, insert<u64>, {kXmm, kAnyRm, kImm}, Unit::kSse},
};

}  // namespace

std::span<const Binding> sse_general_bindings() { return kRows; }

}  // namespace pollux::cpu::interpret
