#include "generator.h"

namespace pollux::test::translation {

void Generator::integer() {
  switch (random_.below(24)) {
    case 0: case 1: case 2: case 3: case 4: case 5: return arithmetic();
    case 6: case 7: case 8: return shift();
    case 9: return multiply_or_divide();
    case 10: case 11: case 12: return move();
    case 13: case 14: return bits();
    case 15: case 16: return exchange();
    case 17: case 18: case 19: return condition();
    case 20: case 21: return stack();
    case 22: return flags();
    default: return set_constant(destination(), one_in(2) ? random_.below(100) : target(8, false));
  }
}

void Generator::arithmetic() {
  Form f;
  const unsigned size = sized(f);
  const u8 wide = size == 1 ? 0 : 1;
  const unsigned reg = destination();
  // adc and sbb more often: they look at flags.
  const unsigned op = one_in(3) ? 2 + unsigned(random_.below(2)) : unsigned(random_.below(8));
  switch (random_.below(8)) {
    case 0: case 1:  // rm, r
      f.opcode = u8(op << 3 | wide);
      f.lock = false;
      if (one_in(2)) {
        f.lock = op != 7 && one_in(8);
        return on_memory(f, any(), size);
      }
      forget(reg);
      return on_register(f, any(), reg);
    case 2: case 3:  // r, rm
      f.opcode = u8(op << 3 | 2 | wide);
      on_either(f, reg, size);
      return forget(reg);
    case 4: case 5:  // rm, imm
      f.opcode = u8(0x80 | wide);
      f.immediate_bytes = u8(size == 8 ? 4 : size);
      if (wide && one_in(2)) f.opcode = 0x83, f.immediate_bytes = 1;
      f.immediate = immediate(size);
      if (one_in(3)) return on_memory(f, op, size);
      forget(reg);
      return on_register(f, op, reg);
    case 6:  // test
      f.opcode = u8(0x84 | wide);
      return on_either(f, any(), size);
    default:  // inc, dec, not, neg
      f.opcode = u8((one_in(2) ? 0xfe : 0xf6) | wide);
      const unsigned extension = f.opcode >= 0xfe ? unsigned(random_.below(2)) : 2 + unsigned(random_.below(2));
      if (one_in(3)) return on_memory(f, extension, size);
      forget(reg);
      return on_register(f, extension, reg);
  }
}

void Generator::shift() {
  Form f;
  const unsigned size = sized(f);
  const u8 wide = size == 1 ? 0 : 1;
  const unsigned reg = destination();
  forget(reg);
  if (one_in(5)) {  // shld, shrd
    if (size == 1) f.operand16 = one_in(3);
    f.map = 1;
    f.opcode = u8(random_.below(2) ? 0xa4 : 0xac);
    if (one_in(3)) ++f.opcode;
    else f.immediate_bytes = 1, f.immediate = random_.below(70);
    if (f.operand16 && f.immediate_bytes) f.immediate %= 16;
    if (one_in(3)) return on_memory(f, any(), size == 1 ? 4 : size);
    return on_register(f, any(), reg);
  }
  const u64 kind = random_.below(3);
  f.opcode = u8((kind == 0 ? 0xc0 : kind == 1 ? 0xd0 : 0xd2) | wide);
  if (kind == 0) f.immediate_bytes = 1, f.immediate = one_in(5) ? random_.below(4) * 32 : random_.below(66);
  if (kind == 2 && one_in(3)) set_constant(1, one_in(3) ? random_.below(3) * 32 : random_.below(66));
  if (one_in(4)) return on_memory(f, unsigned(random_.below(8)), size);
  on_register(f, unsigned(random_.below(8)), reg);
}

void Generator::multiply_or_divide() {
  Form f;
  const unsigned size = sized(f);
  switch (random_.below(4)) {
    case 0: {
      f.map = 1, f.opcode = 0xaf;
      if (size == 1) f.operand16 = true;
      const unsigned reg = destination();
      on_either(f, reg, size == 1 ? 2 : size);
      return forget(reg);
    }
    case 1: {
      const bool byte = random_.below(2) || size == 1;
      f.opcode = byte ? 0x6b : 0x69;
      f.immediate_bytes = u8(byte ? 1 : size == 8 ? 4 : size);
      f.immediate = immediate(4);
      const unsigned reg = destination();
      on_either(f, reg, size == 1 ? 4 : size);
      return forget(reg);
    }
    default: break;
  }
  const unsigned extension = 4 + unsigned(random_.below(4));
  f.opcode = size == 1 ? 0xf6 : 0xf7;
  if (extension >= 6 && random_.below(4)) {  // a quotient that fits, mostly
    if (one_in(2) || extension == 6) on_register({.opcode = 0x31}, 2, 2);
    else plain({.opcode = 0x99, .wide = size == 8});
  }
  on_either(f, extension, size);
  forget(0), forget(2);
}

void Generator::move() {
  Form f;
  const unsigned size = sized(f);
  const u8 wide = size == 1 ? 0 : 1;
  const unsigned reg = destination();
  switch (random_.below(9)) {
    case 0: case 1: f.opcode = u8(0x8a | wide); on_memory(f, reg, size); break;
    case 2: case 3: f.opcode = u8(0x88 | wide); return on_memory(f, any(), size);
    case 4: f.opcode = u8(0x88 | wide); on_register(f, any(), reg); break;
    case 5:
      f.opcode = u8(0xc6 | wide), f.immediate_bytes = u8(size == 8 ? 4 : size), f.immediate = immediate(size);
      if (one_in(2)) return on_memory(f, 0, size);
      on_register(f, 0, reg);
      break;
    case 6:  // movzx, movsx
      f.map = 1, f.opcode = u8((random_.below(2) ? 0xb6 : 0xbe) | random_.below(2));
      on_either(f, reg, f.opcode & 1 ? 2 : 1);
      break;
    case 7:
      f.opcode = 0x63;  // movsxd
      on_either(f, reg, 4);
      break;
    default: {
      f.opcode = 0x8d;
      Memory m = memory(8, false);
      if (one_in(2)) m = {.base = int(any()), .index = any() == 4 ? -1 : int(any() | 1), .scale = u8(random_.below(4)),
                          .displacement = i32(immediate(4)), .narrow = one_in(4)};
      add({.shape = Item::Shape::kMemory, .form = f, .reg = reg, .memory = m});
      break;
    }
  }
  forget(reg);
}

void Generator::bits() {
  Form f{.map = 1};
  const unsigned size = sized(f);
  const unsigned reg = destination();
  switch (random_.below(7)) {
    case 0: case 1:  // bt.. rm, imm
      f.opcode = 0xba, f.immediate_bytes = 1, f.immediate = random_.next();
      on_either(f, 4 + unsigned(random_.below(4)), size == 1 ? 4 : size);
      break;
    case 2: {  // bt.. rm, r
      constexpr u8 kOps[] = {0xa3, 0xab, 0xb3, 0xbb};
      f.opcode = kOps[random_.below(4)];
      if (one_in(5)) on_memory(f, any(), size == 1 ? 4 : size);
      else on_register(f, any(), reg);
      break;
    }
    case 3: case 4: {  // bsf, bsr, popcnt; as tzcnt, lzcnt now and then
      f.opcode = u8(0xbc | random_.below(2));
      if (one_in(3)) f.mandatory = 0xf3;
      if (one_in(3)) f.mandatory = 0xf3, f.opcode = 0xb8;
      if (f.mandatory == 0 && one_in(4)) on_register({.opcode = 0x31}, reg, reg);
      on_either(f, reg, size == 1 ? 4 : size);
      break;
    }
    case 5:  // crc32, movbe
      f.map = 2;
      f.opcode = u8(0xf0 | random_.below(2));
      if (one_in(2)) {
        f.mandatory = 0xf2;
        on_either(f, reg, f.opcode & 1 ? (size == 1 ? 4 : size) : 1);
      } else {
        on_memory(f, reg, size == 1 ? 4 : size);
      }
      break;
    default:
      f.opcode = 0xc8, f.operand16 = false;
      plain(f, reg);
      break;
  }
  forget(reg);
}

void Generator::exchange() {
  Form f;
  const unsigned size = sized(f);
  const u8 wide = size == 1 ? 0 : 1;
  const unsigned reg = destination(), other = destination();
  switch (random_.below(7)) {
    case 0: case 1: f.opcode = u8(0x86 | wide); break;
    case 2: f.map = 1, f.opcode = u8(0xc0 | wide); break;
    case 3: case 4:
      f.map = 1, f.opcode = u8(0xb0 | wide);
      if (one_in(3)) {  // that succeeds
        const Memory m = memory(size, false);
        add({.shape = Item::Shape::kMemory, .form = {.opcode = u8(0x8a | wide), .operand16 = f.operand16, .wide = f.wide},
             .reg = 0, .memory = m});
        add({.shape = Item::Shape::kMemory, .form = f, .reg = reg, .memory = m});
        return forget(0);
      }
      break;
    case 5: {
      f = {.opcode = 0xc7, .map = 1, .wide = bool(random_.below(2))};
      on_memory(f, 1, f.wide ? 16 : 8, true);
      forget(0), forget(2);
      return;
    }
    default:
      f.opcode = 0x90, f.force_rex = false;
      plain(f, reg);
      forget(0), forget(reg);
      return;
  }
  if (one_in(2)) f.lock = one_in(5), on_memory(f, reg, size);
  else on_register(f, reg, other);
  forget(reg), forget(other), forget(0);
}

void Generator::condition() {
  Form f{.map = 1};
  const u8 c = u8(random_.below(16));
  const unsigned reg = destination();
  if (random_.below(2)) {
    f.force_rex = one_in(4);
    f.opcode = u8(0x90 | c);
    if (one_in(4)) return on_memory(f, 0, 1);
    on_register(f, 0, reg);
  } else {
    const unsigned size = sized(f);
    f.opcode = u8(0x40 | c);
    on_either(f, reg, size == 1 ? 4 : size);
  }
  forget(reg);
}

void Generator::stack() {
  const unsigned reg = destination();
  switch (random_.below(10)) {
    case 0: case 1: case 2: plain({.opcode = 0x50, .operand16 = one_in(12)}, any()); break;
    case 3: case 4: case 5: plain({.opcode = 0x58, .operand16 = one_in(12)}, reg); forget(reg); break;
    case 6: {
      const bool byte = random_.below(2);
      plain({.opcode = u8(byte ? 0x6a : 0x68), .immediate_bytes = u8(byte ? 1 : 4), .immediate = immediate(4)});
      break;
    }
    case 7: on_memory({.opcode = 0xff}, 6, 8); break;
    case 8: on_memory({.opcode = 0x8f}, 0, 8); break;
    default:
      if (one_in(2)) on_register({.opcode = 0x8b, .wide = true}, 5, 4);  // mov rbp, rsp
      plain({.opcode = 0xc9});
      forget(5);
      break;
  }
  if (!one_in(6)) return;
  set_constant(4, kStack - 8 * random_.below(60));
}

void Generator::flags() {
  constexpr u8 kOps[] = {0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9f, 0x9e, 0x9c, 0x9d, 0x98, 0x99};
  Form f{.opcode = kOps[random_.below(std::size(kOps))]};
  f.wide = one_in(3);
  if (f.opcode == 0x9c || f.opcode == 0x9d) f.wide = false;
  if (f.opcode == 0x9d) {  // what is popped: arithmetic flags, now and then a trap
    u64 value = 0x202 | (random_.next() & 0xcd5);
    if (one_in(6)) value |= 0x100;
    if (one_in(8)) value |= 0x40000;
    plain({.opcode = 0x68, .immediate_bytes = 4, .immediate = value});
  }
  if ((f.opcode & 0xfe) == 0x98) f.operand16 = one_in(3);
  plain(f);
  forget(0), forget(2);
}

}  // namespace pollux::test::translation
