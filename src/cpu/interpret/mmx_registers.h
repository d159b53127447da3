// The MMX registers: the significands of the physical x87 registers. Every MMX instruction but EMMS makes the x87
// unit all valid with TOP 0; a write sets the sixteen upper bits (SDM vol. 1, 9.2 and 9.5; vol. 3, 12.2).
#pragma once

#include "cpu/interpret/x87_handler.h"

namespace pollux::cpu::interpret::mmx {

// Call begin() first (a pending x87 exception), then read operands, and commit with touch() and write().
inline void begin(Interpreter& r) { x87::wait(r); }

inline u64 read(Interpreter& r, unsigned n) { return r.s().x87.registers[n & 7].significand; }

inline void touch(Interpreter& r) {
  r.s().x87.status &= u16(~kX87Top);
  r.s().x87.tag = 0xff;
}

inline void write(Interpreter& r, unsigned n, u64 value) {
  touch(r);
  r.s().x87.registers[n & 7] = {value, 0xffff, {}};
}

}  // namespace pollux::cpu::interpret::mmx
