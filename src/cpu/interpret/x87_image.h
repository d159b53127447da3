// The x87 state as it stands in memory: the environment of FNSTENV and FLDENV in its four layouts, and the full tag
// word that they hold (SDM vol. 1, 8.1.10 and figures 8-9 to 8-12). The FXSAVE layout is in sse_state.cc.
#pragma once

#include <array>

#include "x86/state.h"

namespace pollux::cpu::interpret::x87 {

// wide: 32-bit operand size, 28 bytes; else 14 bytes. protected_layout: else the layout of real mode and virtual-8086
// mode, in which pointers are linear addresses.
struct Layout {
  bool wide;
  bool protected_layout;
  unsigned size() const { return wide ? 28 : 14; }
};

using Environment = std::array<u8, 28>;

void put_environment(const x86::X87& f, Layout layout, Environment& to);
// Control, status, tags and pointers; the registers stay. Status bits ES and B are recomputed.
void get_environment(x86::X87& f, Layout layout, const Environment& from);

// Two bits a physical register: 0 valid, 1 zero, 2 special, 3 empty.
u16 full_tags(const x86::X87& f);

void initialize(x86::X87& f);  // FNINIT: the registers keep their contents

}  // namespace pollux::cpu::interpret::x87
