#include "cpu/interpret/instruction_table.h"

namespace pollux::cpu::interpret {

const std::vector<std::span<const Binding>>& all_bindings() {
  static const std::vector<std::span<const Binding>> families = [] {
    std::vector<std::span<const Binding>> all = {
        arithmetic_bindings(), unary_bindings(),   move_bindings(),    stack_bindings(),   branch_bindings(),
        shift_bindings(),      multiply_bindings(), bit_bindings(),    decimal_bindings(), exchange_bindings(),
        string_bindings(),     flag_bindings(),    port_bindings(),    segment_bindings(), far_bindings(),
        syscall_bindings(),    control_bindings(), table_bindings(),   msr_bindings(),     miscellaneous_bindings(),
    };
    all.insert(all.end(), vector_bindings().begin(), vector_bindings().end());
    return all;
  }();
  return families;
}

namespace {

bool matches(const Binding& row, const decode::Decoded& decoded) {
  if (((row.traits & kFarForm) != 0) != decoded.far) return false;
  if (row.traits & kAnyOperands) return true;
  for (unsigned i = 0; i < row.operands.size(); ++i) {
    const Pattern& want = row.operands[i];
    const decode::Operand& have = decoded.operands[i];
    if (want.kinds == 0 || i >= decoded.operand_count) {
      if (want.kinds != 0 || i < decoded.operand_count) return false;
      continue;
    }
    if (!(want.kinds & pattern::bit(have.kind))) return false;
    if (want.bits != 0 && want.bits != have.bits) return false;
  }
  return true;
}

std::vector<std::vector<const Binding*>> index_by_mnemonic() {
  std::vector<std::vector<const Binding*>> index(ZYDIS_MNEMONIC_MAX_VALUE + 1);
  for (const std::span<const Binding> family : all_bindings()) {
    for (const Binding& row : family) index[row.mnemonic].push_back(&row);
  }
  return index;
}

}  // namespace

const Binding* find_binding(const decode::Decoded& decoded) {
  static const std::vector<std::vector<const Binding*>> index = index_by_mnemonic();
  for (const Binding* row : index[decoded.mnemonic]) {
    if (matches(*row, decoded)) return row;
  }
  return nullptr;
}

}  // namespace pollux::cpu::interpret
