#include "cpu/interpret/mmx_operations.h"

#include <emmintrin.h>

#include <array>
#include <utility>

namespace pollux::cpu::interpret::mmx {

using x86::Xmm;

#define POLLUX_DEFINE(mnemonic, text, ...)                                                         \
  u64 text(u64 to, u64 from) {                                                                     \
    asm volatile("movq %0, %%mm0; movq %1, %%mm1; " #text " %%mm1, %%mm0; movq %%mm0, %0; emms"    \
                 : "+r"(to) : "r"(from) : "mm0", "mm1");                                           \
    return to;                                                                                     \
  }
POLLUX_MMX(POLLUX_DEFINE)
POLLUX_MMX_SHIFT(POLLUX_DEFINE)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(mnemonic, text, ...)                                                                  \
  namespace {                                                                                               \
  template <std::size_t kImm>                                                                               \
  u64 run_##text(u64 to, u64 from) {                                                                        \
    asm volatile("movq %0, %%mm0; movq %1, %%mm1; " #text " %2, %%mm1, %%mm0; movq %%mm0, %0; emms"         \
                 : "+r"(to) : "r"(from), "i"(kImm) : "mm0", "mm1");                                         \
    return to;                                                                                              \
  }                                                                                                         \
  template <std::size_t... I>                                                                               \
  constexpr std::array<Function, 256> table_##text(std::index_sequence<I...>) {                             \
    return {&run_##text<I>...};                                                                             \
  }                                                                                                         \
  }                                                                                                         \
  u64 text(u64 to, u64 from, u8 imm) {                                                                      \
    static constexpr auto kTable = table_##text(std::make_index_sequence<256>());                           \
    return kTable[imm](to, from);                                                                           \
  }
POLLUX_MMX_IMM(POLLUX_DEFINE)
#undef POLLUX_DEFINE

u64 pmovmskb(u64 from) {
  u32 result;
  asm volatile("movq %1, %%mm0; pmovmskb %%mm0, %0; emms" : "=r"(result) : "r"(from) : "mm0");
  return result;
}

#define POLLUX_DEFINE(text)                                                                    \
  u64 text(const Xmm& from) {                                                                  \
    u64 result;                                                                                \
    asm volatile(#text " %1, %%mm0; movq %%mm0, %0; emms" : "=r"(result) : "m"(from) : "mm0"); \
    return result;                                                                             \
  }
POLLUX_DEFINE(cvtps2pi)
POLLUX_DEFINE(cvttps2pi)
POLLUX_DEFINE(cvtpd2pi)
POLLUX_DEFINE(cvttpd2pi)
#undef POLLUX_DEFINE

#define POLLUX_DEFINE(text)                                                                          \
  void text(Xmm& to, u64 from) {                                                                     \
    __m128i a = _mm_load_si128(reinterpret_cast<const __m128i*>(&to));                               \
    asm volatile("movq %1, %%mm0; " #text " %%mm0, %0; emms" : "+x"(a) : "r"(from) : "mm0");         \
    _mm_store_si128(reinterpret_cast<__m128i*>(&to), a);                                             \
  }
POLLUX_DEFINE(cvtpi2ps)
POLLUX_DEFINE(cvtpi2pd)
#undef POLLUX_DEFINE

}  // namespace pollux::cpu::interpret::mmx
