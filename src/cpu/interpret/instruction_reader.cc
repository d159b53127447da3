#include "cpu/interpret/instruction_reader.h"

#include "cpu/decode/form.h"
#include "cpu/interpret/instruction_table.h"

namespace pollux::cpu::interpret {

decode::DecodeStatus InstructionReader::read(decode::CodeSize code_size, ByteSpan bytes, decode::Decoded& out,
                                             const Binding*& row) {
  const u64 key = decode::form_key(code_size, bytes);
  Form& form = forms_[key * 0x9e37'79b9'7f4a'7c15 >> 52];
  static_assert(kForms == 1 << (64 - 52));
  row = nullptr;
  if (key && form.key == key) {
    out = form.decoded;
    const decode::DecodeStatus filled = decode::fill_form(bytes, out);
    if (filled == decode::DecodeStatus::kOk) row = form.row;
    return filled;
  }
  const decode::DecodeStatus status = decode::decode(code_size, bytes, out);
  if (status != decode::DecodeStatus::kOk) return status;
  row = find_binding(out);
  if (key && decode::can_be_form(key, out)) form = {key, row, out};
  return status;
}

}  // namespace pollux::cpu::interpret
