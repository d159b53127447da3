#include "cpu/interpret/sse_horizontal.h"

namespace pollux::cpu::interpret::xmm {

using x86::Xmm;

namespace {

// Of the lanes of two registers in a row, those with even and with odd numbers.
u64 even(u64 two, u64 next) { return (two & 0xffffffff) | next << 32; }
u64 odd(u64 two, u64 next) { return two >> 32 | (next & ~u64(0xffffffff)); }

template <XmmFunction kOp>
void singles(Xmm& to, const Xmm& from) {
  const Xmm second{odd(to.low, to.high), odd(from.low, from.high)};
  to = {even(to.low, to.high), even(from.low, from.high)};
  kOp(to, second);
}
template <XmmFunction kOp>
void doubles(Xmm& to, const Xmm& from) {
  const Xmm second{to.high, from.high};
  to = {to.low, from.low};
  kOp(to, second);
}

}  // namespace

void haddps(Xmm& to, const Xmm& from) { singles<addps>(to, from); }
void haddpd(Xmm& to, const Xmm& from) { doubles<addpd>(to, from); }
void hsubps(Xmm& to, const Xmm& from) { singles<subps>(to, from); }
void hsubpd(Xmm& to, const Xmm& from) { doubles<subpd>(to, from); }

}  // namespace pollux::cpu::interpret::xmm
