// Flags through the host's LAHF and SETO: bits 15-8 hold SF ZF 0 AF 0 PF 1 CF, bit 0 holds OF. This is the layout of
// Interpreter::arithmetic(). Used inside the inline assembly of the integer families, with operand [f] in rax.
#pragma once

#include "base/integers.h"

// After the instruction: AX = flags.
#define POLLUX_TAKE_FLAGS "lahf\n\tseto %%al"
// Before the instruction: CF = the flags' carry.
#define POLLUX_GIVE_CARRY "btw $8, %%ax\n\t"

namespace pollux::cpu::interpret {

inline constexpr u16 kHostOf = 1, kHostCf = 0x100, kHostPf = 0x400, kHostAf = 0x1000, kHostZf = 0x4000,
                     kHostSf = 0x8000;
inline constexpr u16 kHostFixed = 0x200;  // the 1 between PF and CF

// SF, ZF and PF of a value, with CF, AF and OF clear.
template <class T>
u16 result_flags(T value) {
  u16 flags;
  asm("test %[v], %[v]\n\t" POLLUX_TAKE_FLAGS : [f] "=&a"(flags) : [v] "r"(value) : "cc");
  return flags & u16(~kHostAf);
}

// Condition codes as in Jcc, SETcc, CMOVcc (SDM vol. 1, appendix B).
enum Condition : u8 { kO, kNo, kB, kNb, kZ, kNz, kBe, kNbe, kS, kNs, kP, kNp, kL, kNl, kLe, kNle };

template <Condition C>
inline bool holds(u16 flags) {
  bool value = false;
  switch (Condition(C & ~1)) {
    case kO: value = flags & kHostOf; break;
    case kB: value = flags & kHostCf; break;
    case kZ: value = flags & kHostZf; break;
    case kBe: value = flags & (kHostCf | kHostZf); break;
    case kS: value = flags & kHostSf; break;
    case kP: value = flags & kHostPf; break;
    case kL: value = ((flags >> 15) ^ flags) & 1; break;
    default: value = (flags & kHostZf) || (((flags >> 15) ^ flags) & 1); break;
  }
  return value != bool(C & 1);
}

}  // namespace pollux::cpu::interpret
