#include "cpu/translate/flag_effect.h"

#include "x86/flags.h"

namespace pollux::cpu::translate {

bool is_shift(decode::Mnemonic m) {
  return m == ZYDIS_MNEMONIC_SHL || m == ZYDIS_MNEMONIC_SHR || m == ZYDIS_MNEMONIC_SAR;
}
bool is_rotate(decode::Mnemonic m) { return m == ZYDIS_MNEMONIC_ROL || m == ZYDIS_MNEMONIC_ROR; }

bool is_double_shift(decode::Mnemonic m) { return m == ZYDIS_MNEMONIC_SHLD || m == ZYDIS_MNEMONIC_SHRD; }

bool counts_by_cl(const decode::Decoded& d) {
  if (is_double_shift(d.mnemonic)) return d.encoding.immediate_bytes == 0;
  return d.encoding.map == 0 && (d.opcode == 0xd2 || d.opcode == 0xd3);
}

unsigned count_mask(const decode::Decoded& d) { return d.operand_size == 8 ? 63 : 31; }

FlagEffect flag_effect(const decode::Decoded& d) {
  constexpr u32 kAll = u32(x86::kArithmeticFlags);
  const u32 read = d.flags_read & kAll;
  u32 written = d.flags_written & kAll;
  FlagEffect e;
  e.reads = read != 0;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_NEG:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_XOR: e.zero_tells_all = true; break;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: written = x86::kCf; break;
    case ZYDIS_MNEMONIC_PUSHFQ:
      e.reads = true;
      written = 0;
      break;
    case ZYDIS_MNEMONIC_MOV:  // of control registers, which leaves the flags alone here
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV: written = 0; break;
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_IMUL: e.repair = Repair::kCarryOnly; break;
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR: e.repair = Repair::kZeroOnly; break;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
      e.repair = Repair::kClearAf;
      written = kAll;
      break;
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR: written = x86::kCf | x86::kOf; break;
    default: break;
  }
  const bool shifts = is_shift(d.mnemonic) || is_rotate(d.mnemonic) || is_double_shift(d.mnemonic);
  if (shifts && d.encoding.immediate_bytes && (d.immediate & count_mask(d)) == 0) written = 0, e.repair = Repair::kNone;
  e.writes_all = written == kAll;
  e.writes_some = written != 0 && !e.writes_all;
  e.reads_carry_alone = (read & ~u32(x86::kCf)) == 0 && (kAll & ~written & ~u32(x86::kCf)) == 0;
  return e;
}

}  // namespace pollux::cpu::translate
