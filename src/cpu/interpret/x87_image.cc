#include "cpu/interpret/x87_image.h"

#include <cstring>

#include "cpu/interpret/x87_stack.h"

namespace pollux::cpu::interpret::x87 {

namespace {

unsigned classify(const x86::X87Register& value) {
  const unsigned exponent = value.sign_exponent & 0x7fff;
  if (exponent == 0) return value.significand == 0 ? 1 : 2;
  return exponent == 0x7fff || !(value.significand >> 63) ? 2 : 0;
}

u8 abridge(u16 tags) {
  u8 result = 0;
  for (unsigned n = 0; n < 8; ++n)
    if ((tags >> (2 * n) & 3) != 3) result |= u8(1u << n);
  return result;
}

// The environment is seven cells of two or four bytes. The upper halves of the first three and of the last are
// written as ones, as all processors do.
using Cells = std::array<u32, 7>;

}  // namespace

u16 full_tags(const x86::X87& f) {
  u16 result = 0;
  for (unsigned n = 0; n < 8; ++n)
    result |= u16((f.tag >> n & 1 ? classify(f.registers[n]) : 3u) << (2 * n));
  return result;
}

void initialize(x86::X87& f) {
  f.control = 0x37f;
  f.status = 0;
  f.tag = 0;
  f.opcode = 0;
  f.instruction_pointer = 0;
  f.data_pointer = 0;
}

void put_environment(const x86::X87& f, Layout layout, Environment& to) {
  constexpr u32 kOnes = 0xffff0000;
  const u32 ip = u32(f.instruction_pointer), dp = u32(f.data_pointer);
  Cells cells{f.control | kOnes, f.status | kOnes, full_tags(f) | kOnes};
  if (layout.protected_layout) {
    cells[3] = ip;
    cells[4] = layout.wide ? u32(f.opcode) << 16 : 0;
    cells[5] = dp;
    cells[6] = kOnes;
  } else {
    cells[3] = (ip & 0xffff) | kOnes;
    cells[4] = (ip >> 16 & 0xffff) << 12 | f.opcode;
    cells[5] = (dp & 0xffff) | kOnes;
    cells[6] = (dp >> 16 & 0xffff) << 12;
  }
  for (unsigned n = 0; n < 7; ++n) {
    if (layout.wide) {
      std::memcpy(&to[4 * n], &cells[n], 4);
    } else {
      std::memcpy(&to[2 * n], &cells[n], 2);
    }
  }
}

void get_environment(x86::X87& f, Layout layout, const Environment& from) {
  Cells cells{};
  for (unsigned n = 0; n < 7; ++n) {
    if (layout.wide) {
      std::memcpy(&cells[n], &from[4 * n], 4);
    } else {
      std::memcpy(&cells[n], &from[2 * n], 2);
    }
  }
  f.control = u16((cells[0] & kX87ControlBits) | kX87ControlFixed);
  f.status = u16(cells[1]);
  f.tag = abridge(u16(cells[2]));
  if (layout.protected_layout) {
    f.instruction_pointer = cells[3];
    f.opcode = layout.wide ? cells[4] >> 16 & 0x7ff : 0;
    f.data_pointer = cells[5];
  } else {
    f.instruction_pointer = (cells[3] & 0xffff) | (cells[4] >> 12 & 0xffff) << 16;
    f.opcode = cells[4] & 0x7ff;
    f.data_pointer = (cells[5] & 0xffff) | (cells[6] >> 12 & 0xffff) << 16;
  }
  X87Stack(f).update_summary();
}

}  // namespace pollux::cpu::interpret::x87
