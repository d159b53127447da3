// Every encoding of every row of the instruction table, found by decoding all of them: prefix, REX.W, opcode map,
// opcode, ModRM. What is left free, registers, addresses, immediates, the generator fills in.
#pragma once

#include <string>
#include <vector>

#include "cpu/interpret/instruction_table.h"

namespace pollux::test {

struct Template {
  u8 prefix;  // 0, 0x66, 0xf2, 0xf3
  bool rex_w;
  u8 map;     // 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A
  u8 opcode;
  u8 modrm;   // or the first immediate byte where there is none
  bool memory;
};

struct Row {
  const cpu::interpret::Binding* binding;
  std::string name;  // mnemonic and operands, as "ADD r32, rm32"
  std::vector<Template> templates;
};

// The rows that can be compared with the host from user mode, by code size (64 or 32), each with its templates.
struct Catalogue {
  std::vector<Row> rows;
  unsigned untestable = 0;  // rows left out: they need privilege, another mode, or the host lacks them
};
Catalogue make_catalogue(unsigned code_bits);

// Finds the row of an instruction. nullptr: none.
const cpu::interpret::Binding* row_of(unsigned code_bits, ByteSpan code, cpu::decode::Decoded& decoded);

}  // namespace pollux::test
