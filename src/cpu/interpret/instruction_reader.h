// Reads instructions and finds their rows, and remembers both for each form (decode/form.h).
#pragma once

#include <vector>

#include "cpu/interpret/instruction.h"

namespace pollux::cpu::interpret {

class InstructionReader {
 public:
  InstructionReader() : forms_(kForms) {}

  // row: of the instruction; nullptr when there is none (#UD) or when it is not read.
  decode::DecodeStatus read(decode::CodeSize code_size, ByteSpan bytes, decode::Decoded& out, const Binding*& row);

 private:
  struct Form {
    u64 key = 0;
    const Binding* row = nullptr;
    decode::Decoded decoded;
  };
  static constexpr unsigned kForms = 1 << 12;
  std::vector<Form> forms_;  // by a hash of the key
};

}  // namespace pollux::cpu::interpret
