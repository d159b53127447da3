#include "cpu/interpret/sse_operations.h"

#include <emmintrin.h>

#include <array>
#include <utility>

namespace pollux::cpu::interpret::xmm {

using x86::Xmm;

namespace {

__m128i load(const Xmm& from) { return _mm_load_si128(reinterpret_cast<const __m128i*>(&from)); }
void store(Xmm& to, __m128i from) { _mm_store_si128(reinterpret_cast<__m128i*>(&to), from); }

using Function = void (*)(Xmm&, const Xmm&);

// Template::run<imm> for all immediates below Count, repeated to 256.
template <class Template, unsigned Count, std::size_t... I>
constexpr std::array<Function, 256> imm_table(std::index_sequence<I...>) {
  return {&Template::template run<I % Count>...};
}

}  // namespace

// volatile: the floating-point instructions read and write MXCSR, of which the compiler knows nothing, and volatile
// statements keep their order.
#define POLLUX_DEFINE(mnemonic, text, ...)               \
  void text(Xmm& to, const Xmm& from) {                  \
    __m128i a = load(to);                                \
    const __m128i b = load(from);                        \
    asm volatile(#text " %1, %0" : "+x"(a) : "x"(b));    \
    store(to, a);                                        \
  }
POLLUX_SSE_INTEGER(POLLUX_DEFINE)
POLLUX_SSE_SHIFT(POLLUX_DEFINE)
POLLUX_SSE_FLOAT(POLLUX_DEFINE)
POLLUX_AES(POLLUX_DEFINE)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(mnemonic, text, bytes, count, ...)                                             \
  namespace {                                                                                        \
  struct Imm_##text {                                                                                \
    template <std::size_t kImm>                                                                      \
    static void run(Xmm& to, const Xmm& from) {                                                      \
      __m128i a = load(to);                                                                          \
      const __m128i b = load(from);                                                                  \
      asm volatile(#text " %2, %1, %0" : "+x"(a) : "x"(b), "i"(kImm));                               \
      store(to, a);                                                                                  \
    }                                                                                                \
  };                                                                                                 \
  }                                                                                                  \
  void text(Xmm& to, const Xmm& from, u8 imm) {                                                      \
    static constexpr auto kTable = imm_table<Imm_##text, count>(std::make_index_sequence<256>());    \
    kTable[imm](to, from);                                                                           \
  }
POLLUX_SSE_INTEGER_IMM(POLLUX_DEFINE)
POLLUX_SSE_INSERT(POLLUX_DEFINE)
POLLUX_SSE_FLOAT_IMM(POLLUX_DEFINE)
POLLUX_AES_IMM(POLLUX_DEFINE)
#undef POLLUX_DEFINE

void pslldq(Xmm& to, u8 count) {
  const u128 value = u128(to.high) << 64 | to.low;
  const u128 result = count > 15 ? 0 : value << (8 * count);
  to = {u64(result), u64(result >> 64)};
}

void psrldq(Xmm& to, u8 count) {
  const u128 value = u128(to.high) << 64 | to.low;
  const u128 result = count > 15 ? 0 : value >> (8 * count);
  to = {u64(result), u64(result >> 64)};
}

#define POLLUX_DEFINE(mnemonic, text)                                                                        \
  void text(Xmm& to, const Xmm& from, const Xmm& mask) {                                                     \
    __m128i a = load(to);                                                                                    \
    const __m128i b = load(from);                                                                            \
    asm volatile("movdqa %2, %%xmm0; " #text " %%xmm0, %1, %0" : "+x"(a) : "x"(b), "m"(mask) : "xmm0");      \
    store(to, a);                                                                                            \
  }
POLLUX_SSE_BLENDV(POLLUX_DEFINE)
#undef POLLUX_DEFINE

namespace {
constexpr u64 kArithmeticFlags = 0x8d5;
}

// The stack below the red zone is not ours to push on: lahf and seto instead of pushf.
#define POLLUX_DEFINE(mnemonic, text, ...)                                                      \
  u64 text(const Xmm& left, const Xmm& right) {                                                 \
    const __m128i a = load(left), b = load(right);                                              \
    u64 ah = 0;                                                                                 \
    asm volatile(#text " %2, %1; lahf" : "+a"(ah) : "x"(a), "x"(b) : "cc");                     \
    return ah >> 8 & kArithmeticFlags; /* OF is cleared by the instruction */                   \
  }
POLLUX_SSE_COMPARE(POLLUX_DEFINE)
POLLUX_DEFINE(PTEST, ptest, 16)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(mnemonic, text)                                    \
  void text##_32(Xmm& to, u64 from) {                                    \
    __m128i a = load(to);                                                \
    asm volatile(#text "l %1, %0" : "+x"(a) : "r"(u32(from)));           \
    store(to, a);                                                        \
  }                                                                      \
  void text##_64(Xmm& to, u64 from) {                                    \
    __m128i a = load(to);                                                \
    asm volatile(#text "q %1, %0" : "+x"(a) : "r"(from));                \
    store(to, a);                                                        \
  }
POLLUX_SSE_FROM_INTEGER(POLLUX_DEFINE)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(mnemonic, text, bytes)                             \
  u64 text##_32(const Xmm& from) {                                       \
    u32 result;                                                          \
    asm volatile(#text " %1, %0" : "=r"(result) : "x"(load(from)));      \
    return result;                                                       \
  }                                                                      \
  u64 text##_64(const Xmm& from) {                                       \
    u64 result;                                                          \
    asm volatile(#text " %1, %0" : "=r"(result) : "x"(load(from)));      \
    return result;                                                       \
  }
POLLUX_SSE_TO_INTEGER(POLLUX_DEFINE)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(text)                                              \
  u64 text(const Xmm& from) {                                            \
    u32 result;                                                          \
    asm(#text " %1, %0" : "=r"(result) : "x"(load(from)));               \
    return result;                                                       \
  }
POLLUX_DEFINE(movmskps)
POLLUX_DEFINE(movmskpd)
POLLUX_DEFINE(pmovmskb)
#undef POLLUX_DEFINE

}  // namespace pollux::cpu::interpret::xmm
