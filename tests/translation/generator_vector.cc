#include "generator.h"

namespace pollux::test::translation {

namespace {

struct Row {
  u8 prefixes;   // bit 0: none, 1: 66, 2: F3, 3: F2
  u8 map, first, last;
  u8 size;       // of memory, at most
  bool immediate = false;
};
constexpr Row kRows[] = {
    {15, 1, 0x51, 0x51, 16}, {15, 1, 0x58, 0x59, 16}, {15, 1, 0x5a, 0x5a, 16}, {15, 1, 0x5c, 0x5f, 16},
    {3, 1, 0x54, 0x57, 16},  {15, 1, 0x10, 0x11, 16}, {3, 1, 0x28, 0x29, 16},  {6, 1, 0x6f, 0x6f, 16},
    {6, 1, 0x7f, 0x7f, 16},  {2, 1, 0x6e, 0x6e, 8},   {6, 1, 0x7e, 0x7e, 8},   {3, 1, 0x12, 0x17, 8},
    {2, 1, 0x60, 0x6d, 16},  {2, 1, 0xd1, 0xd5, 16},  {2, 1, 0xd8, 0xdf, 16},  {2, 1, 0xe0, 0xe5, 16},
    {2, 1, 0xe8, 0xef, 16},  {2, 1, 0xf1, 0xf6, 16},  {2, 1, 0xf8, 0xfe, 16},  {12, 1, 0x2a, 0x2a, 8},
    {12, 1, 0x2c, 0x2d, 8},  {7, 1, 0x5b, 0x5b, 16},  {14, 1, 0xe6, 0xe6, 16}, {3, 1, 0x2e, 0x2f, 8},
    {3, 1, 0xc6, 0xc6, 16, true}, {14, 1, 0x70, 0x70, 16, true}, {15, 1, 0xc2, 0xc2, 16, true},
    {2, 1, 0xc4, 0xc4, 2, true}, {2, 2, 0x00, 0x0b, 16}, {2, 2, 0x1c, 0x1e, 16}, {2, 2, 0x20, 0x25, 8},
    {2, 2, 0x28, 0x2b, 16}, {2, 2, 0x30, 0x3d, 16}, {2, 2, 0x40, 0x41, 16}, {2, 3, 0x08, 0x0f, 16, true},
    {2, 3, 0x14, 0x17, 4, true}, {2, 3, 0x20, 0x22, 4, true}, {2, 3, 0x40, 0x42, 16, true},
    {2, 3, 0x60, 0x63, 16, true}, {2, 2, 0xdb, 0xdf, 16}, {2, 3, 0x44, 0x44, 16, true}, {2, 2, 0x10, 0x17, 16},
    {3, 1, 0x2b, 0x2b, 16}, {2, 1, 0xe7, 0xe7, 16}, {12, 1, 0xd0, 0xd0, 16}, {8, 1, 0xf0, 0xf0, 16},
    {5, 1, 0x52, 0x53, 16}, {15, 1, 0x7c, 0x7d, 16}, {3, 1, 0x50, 0x50, 0}, {2, 1, 0xd7, 0xd7, 0},
};
constexpr u8 kMandatory[] = {0, 0x66, 0xf3, 0xf2};

}  // namespace

void Generator::vector() {
  const Row& row = kRows[random_.below(std::size(kRows))];
  unsigned prefix = unsigned(random_.below(4));
  while (!(row.prefixes >> prefix & 1)) prefix = (prefix + 1) & 3;
  Form f{.opcode = u8(row.first + random_.below(row.last - row.first + 1u)), .map = row.map, .mandatory = kMandatory[prefix]};
  f.wide = one_in(3);
  if (row.immediate) f.immediate_bytes = 1, f.immediate = random_.next();
  const unsigned reg = any();
  if (row.size && random_.below(2)) {
    on_memory(f, reg, row.size, random_.below(8) != 0);
  } else {
    on_register(f, reg, any());
  }
  // Those that write general registers may have written any.
  const bool general = row.map == 3 || (row.map == 1 && (f.opcode == 0x7e || (f.opcode & 0xfe) == 0x2c || f.opcode == 0x50 ||
                                                         f.opcode == 0xd7 || f.opcode == 0xc5));
  if (general) known_.fill(false);
}

void Generator::x87() {
  if (one_in(3)) {  // MMX
    on_either({.opcode = u8(0x60 + random_.below(0x9f)), .map = 1}, any(), 8);
    known_.fill(false);
    return;
  }
  Form f{.opcode = u8(0xd8 + random_.below(8))};
  if (one_in(2)) on_memory(f, unsigned(random_.below(8)), 8);
  else on_register(f, unsigned(random_.below(8)), unsigned(random_.below(8)));
  forget(0);
}

}  // namespace pollux::test::translation
