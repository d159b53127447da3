#include "generator.h"

#include <algorithm>

#include "x86/control.h"

namespace pollux::test::translation {

using Shape = Item::Shape;
using Refers = Item::Refers;

namespace {
constexpr u16 kWhole = 0xc0f3;  // user data
}

// Registers hold more than 32-bit code sees. Segments are flat, mostly; FS and GS begin somewhere.
void Generator::start32() {
  Program& p = program_;
  p.bits = 32;
  p.user = true;
  for (unsigned reg = 0; reg < 8; ++reg) {
    value_[reg] = u32(value_[reg]);
    p.state.gpr[reg] = value_[reg];
    if (one_in(3)) p.state.gpr[reg] |= one_in(3) ? random_.next() << 32 : one_in(2) ? kFar : ~u64{0} << 32;
  }
  for (const auto name : {x86::kEs, x86::kDs, x86::kFs, x86::kGs}) {
    x86::Segment& s = p.state.segment[name];
    s = {kUserData, kWhole, ~u32{0}, s.base};
    switch (random_.below(name < x86::kFs ? 60 : 24)) {
      case 0: s.limit = u32(kData + random_.below(0x4000)); break;
      case 1: s.limit = u32(random_.below(0x2000)); break;
      case 2: s.attributes &= ~u16{x86::kSegWritable}; break;
      case 3: s.attributes |= x86::kSegExpandDown, s.limit = u32(random_.below(0x1000)); break;
      case 4: s.attributes = 0; break;
      case 5: s.attributes |= x86::kSegCode; break;
      case 6: s.base = kData; break;
      default: break;
    }
  }
}

void Generator::fit32(Item& item) {
  item.form.wide = item.form.force_rex = false;
  item.form.immediate_bytes = std::min<u8>(item.form.immediate_bytes, 4);
  item.reg &= 7, item.rm &= 7;
  Memory& m = item.memory;
  m.narrow = false;
  if (m.base == Memory::kRip) m.base = Memory::kNone;
  if (m.base >= 0) m.base &= 7;
  if (m.index >= 0) m.index &= 7;
  if (m.index == 4) m.index = Memory::kNone;
}

void Generator::only32() {
  const auto raw = [&](std::vector<u8> bytes) { add({.raw = std::move(bytes)}); };
  const u8 any8 = u8(random_.next());
  switch (random_.below(18)) {
    case 0:
    case 1:
    case 2: {  // inc, dec
      const unsigned reg = destination();
      plain({.opcode = u8(0x40 | (any8 & 8)), .operand16 = one_in(8)}, reg);
      return forget(reg);
    }
    case 3:
    case 4: {  // mov of al, eax
      const u8 opcode = u8(0xa0 | (any8 & 3));
      Form f{.opcode = opcode, .operand16 = one_in(8), .immediate_bytes = 4, .immediate = target(4, false)};
      if (one_in(4))
        raw({std::array<u8, 5>{0x64, 0x65, 0x26, 0x2e, 0x36}[random_.below(5)]}), f.immediate = random_.below(64);
      plain(f);
      return forget(0);
    }
    case 5: {  // 82
      const unsigned reg = destination();
      forget(reg), forget(reg & 3);
      return on_either({.opcode = 0x82, .immediate_bytes = 1, .immediate = immediate(1)}, any8 & 7, 1);
    }
    case 6: raw({u8(0x60 | (any8 & 1))}); return known_.fill(false);  // pusha, popa
    case 7:
      return plain({.opcode = 0xc8,
                    .immediate_bytes = 3,
                    .immediate = u64(one_in(2) ? any8 & 3 : 0) << 16 | (any8 & 0xf8)});  // enter
    case 8: {  // daa, das, aaa, aas, aam, aad, salc
      constexpr u8 kOps[] = {0x27, 0x2f, 0x37, 0x3f, 0xd4, 0xd5, 0xd6};
      const u8 op = kOps[random_.below(std::size(kOps))];
      if (op == 0xd4 || op == 0xd5)
        raw({op, u8(one_in(4) ? 0 : 10)});
      else
        raw({op});
      return forget(0);
    }
    case 9: on_either({.opcode = 0x63}, any(), 2); return known_.fill(false);  // arpl
    case 10:
      on_memory({.opcode = u8(one_in(2) ? 0x62 : 0xc4 + (any8 & 1))}, any(), 8);
      return known_.fill(false);                         // bound, les, lds
    case 11: return raw({u8(one_in(2) ? 0xce : 0x9c)});  // into, pushf
    case 12:                                             // addresses of 16 bits
      raw({0x67, u8(one_in(3) ? 0x8d : 0x8a | (any8 & 1)), u8(random_.below(0x40))});
      return known_.fill(false);
    case 13:
    case 14: return segments();
    default: return change_code_size();
  }
}

void Generator::segments() {
  constexpr u16 kSelectors[] = {kUserData,     kUserData,  kUserData,  kUserData, kUserCode64, kUserCode32,
                                kUserReadOnly, kUserShort, kUserBased, kUserDown, 0,           0x28};
  const u16 selector = kSelectors[random_.below(std::size(kSelectors))];
  const u8 segment = u8(random_.below(6));
  switch (random_.below(6)) {
    case 0: {  // push, pop
      constexpr u8 kOps[] = {0x06, 0x0e, 0x16, 0x1e, 0x07, 0x17, 0x1f};
      const u8 op = kOps[random_.below(std::size(kOps))];
      if ((op & 7) == 7) plain({.opcode = 0x68, .immediate_bytes = 4, .immediate = selector});
      add({.raw = {op}});
      return;
    }
    case 1: {  // mov to it, and often back
      const unsigned reg = destination();
      set_constant(reg, selector);
      add({.raw = {0x8e, u8(0xc0 | segment << 3 | reg)}});
      if (one_in(2)) integer();
      if (one_in(2)) return;
      set_constant(reg, kUserData);
      add({.raw = {0x8e, u8(0xc0 | segment << 3 | reg)}});
      return;
    }
    case 2:  // fs, gs
      plain({.opcode = 0x68, .immediate_bytes = 4, .immediate = selector});
      add({.raw = {0x0f, u8(one_in(2) ? 0xa1 : 0xa9)}});
      return;
    case 3:
    case 4: {  // the same code with one segment and another
      const bool fs = random_.below(2);
      set_constant(2, kUserData);
      set_constant(1, selector);
      const unsigned head = unsigned(program_.items.size());
      add({.raw = {0x8e, u8(fs ? 0xe2 : 0xea)}});  // mov fs or gs, edx
      known_[1] = known_[2] = false;
      for (u64 n = 1 + random_.below(3); n; --n) {
        Form f{.opcode = u8(random_.below(2) ? 0x8b : 0x39)};
        add({.shape = Shape::kMemory,
             .form = f,
             .memory = {.displacement = i32(target(4, false)), .segment = u8(fs ? 0x64 : 0x65)}});
      }
      forget(0);
      on_register({.opcode = 0x87}, 1, 2);  // xchg
      const u8 c = u8(random_.below(16));
      add({.shape = Shape::kPlain,
           .form = {.opcode = u8(one_in(8) ? 0xeb : 0x70 | c), .immediate_bytes = 1},
           .refers = Refers::kRelative,
           .target = head});
      return;
    }
    default: {  // lfs, lgs, lss
      const unsigned reg = destination();
      constexpr u8 kOps[] = {0xb2, 0xb4, 0xb5};
      on_memory({.opcode = kOps[random_.below(3)], .map = 1}, reg, 6);
      return forget(reg);
    }
  }
}

// A far jump through memory, whose bytes mean the same in both code sizes.
void Generator::change_code_size() {
  const i32 at = i32(kData + random_.below(64) * 8);
  forward_.push_back({unsigned(program_.items.size()), 3});
  add({.shape = Shape::kMemory,
       .form = {.opcode = 0xc7, .immediate_bytes = 4},
       .memory = {.displacement = at},
       .refers = Refers::kImmediate});
  add({.shape = Shape::kMemory,
       .form = {.opcode = 0xc7, .immediate_bytes = 4, .immediate = one_in(2) ? kUserCode64 : kUserCode32},
       .memory = {.displacement = at + 4}});
  add({.shape = Shape::kMemory, .form = {.opcode = 0xff}, .reg = 5, .memory = {.displacement = at}});
  if (one_in(2)) return;
  // The same code again, in the other size.
  forward_.pop_back();
  program_.items[program_.items.size() - 3].target = unsigned(random_.below(program_.items.size()));
}

}  // namespace pollux::test::translation
