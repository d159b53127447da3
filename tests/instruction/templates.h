// Every encoding of every row of the instruction table, found by decoding all of them: prefix, REX.W, opcode map,
// opcode, ModRM. What is left free, registers, addresses, immediates, the generator fills in.
#pragma once

#include <string>
#include <vector>

#include "cpu/interpret/instruction_table.h"

namespace pollux::test {

struct Template {
  u16 prefix;  // 0, 66, 67, F2, F3, or 66F2, 66F3
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
  std::vector<std::string> left_out;  // they need privilege or another mode, or are the system's
};
Catalogue make_catalogue(unsigned code_bits);

// Finds the row of an instruction. nullptr: none.
const cpu::interpret::Binding* row_of(unsigned code_bits, ByteSpan code, cpu::decode::Decoded& decoded);

}  // namespace pollux::test
