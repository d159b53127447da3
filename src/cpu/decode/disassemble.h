// Instructions as text, for reports.
#pragma once

#include <optional>
#include <string>

#include "cpu/decode/decode.h"

namespace pollux::cpu::decode {

struct Disassembled {
  unsigned length = 1;        // 1 for bytes that are no instruction
  std::string text;           // Intel syntax
  bool goes_on = true;        // execution may continue behind it
  std::optional<u64> target;  // of a direct branch
};

// The instruction that begins with bytes, at address; bytes is not empty.
Disassembled disassemble(CodeSize code_size, ByteSpan bytes, u64 address);

// The same as a line: address, bytes, text.
std::string listing_line(CodeSize code_size, ByteSpan bytes, u64 address);

// Code from its entry at bytes.front() to the end of what is reached from there by falling through and by short jumps forward,
// a line for each instruction, addressed from 0. most: lines.
std::string listing(CodeSize code_size, ByteSpan bytes, unsigned most);

}  // namespace pollux::cpu::decode
