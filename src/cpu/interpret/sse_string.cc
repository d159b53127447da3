// PCMPESTRI/M and PCMPISTRI/M: the host's own instruction, with the flags it leaves. Bit 7 of the immediate is ignored
// by the processor.
#include <emmintrin.h>

#include <array>
#include <utility>

#include "cpu/interpret/sse_operations.h"

namespace pollux::cpu::interpret::xmm {

using x86::Xmm;

namespace {

using Lengths = std::pair<u64, u64>;
using Function = StringCompare (*)(const Xmm& a, const Xmm& b, Lengths lengths);

__m128i load(const Xmm& from) { return _mm_load_si128(reinterpret_cast<const __m128i*>(&from)); }

u64 join_flags(u64 ah, u8 overflow) { return (ah >> 8 & 0xd5) | u64(overflow) << 11; }

// index and flags from the I form, the mask from the M form: they differ in where the answer goes only.
#define POLLUX_STRING(suffix) \
  StringCompare result; \
  u64 rax = lengths.first; \
  u64 rcx; \
  u8 overflow; \
  __m128i mask; \
  asm("pcmp" suffix "m %5, %4, %3; movdqa %%xmm0, %0" : "=x"(mask), "+a"(rax) \
      : "d"(lengths.second), "x"(load(a)), "x"(load(b)), "i"(kImm) : "xmm0", "cc"); \
  asm("pcmp" suffix "i %6, %5, %4; seto %2; lahf" \
      : "+a"(rax), "=&c"(rcx), "=&r"(overflow) \
      : "d"(lengths.second), "x"(load(a)), "x"(load(b)), "i"(kImm) : "cc"); \
  _mm_store_si128(reinterpret_cast<__m128i*>(&result.mask), mask); \
  result.index = u32(rcx); \
  result.flags = join_flags(rax, overflow); \
  return result;

struct Explicit {
  template <std::size_t kImm>
  static StringCompare run(const Xmm& a, const Xmm& b, Lengths lengths) {
    POLLUX_STRING("estr")
  }
};
struct Implicit {
  template <std::size_t kImm>
  static StringCompare run(const Xmm& a, const Xmm& b, Lengths lengths) {
    POLLUX_STRING("istr")
  }
};

template <class Template, std::size_t... I>
constexpr std::array<Function, 128> table(std::index_sequence<I...>) {
  return {&Template::template run<I>...};
}

// A length counts by its absolute value and saturates at 16 bytes or 8 words, which 32 stands for as well (SDM
// vol. 2, PCMPESTRI); so one form of the host's instruction serves both widths.
u64 saturate(u64 length, bool wide) {
  const i64 value = wide ? i64(length) : i64(i32(length));
  const u64 magnitude = value < 0 ? -u64(value) : u64(value);
  return magnitude > 32 ? 32 : magnitude;
}

}  // namespace

StringCompare pcmpestri(const Xmm& a, const Xmm& b, u64 rax, u64 rdx, bool wide, u8 imm) {
  static constexpr auto kTable = table<Explicit>(std::make_index_sequence<128>());
  return kTable[imm & 0x7f](a, b, {saturate(rax, wide), saturate(rdx, wide)});
}

StringCompare pcmpistri(const Xmm& a, const Xmm& b, u8 imm) {
  static constexpr auto kTable = table<Implicit>(std::make_index_sequence<128>());
  return kTable[imm & 0x7f](a, b, {0, 0});
}

}  // namespace pollux::cpu::interpret::xmm
