#include "cpu/translate/flat32.h"

#include <algorithm>

#include "cpu/interpret/mode.h"
#include "x86/state.h"

namespace pollux::cpu::translate {

using decode::Decoded;
using decode::OperandKind;
using decode::Place;

void encode_as_64_bit(Decoded& d) {
  if (d.encoding.map != 0) return;
  const u8 opcode = d.opcode;
  if ((opcode & 0xf0) == 0x40) {  // INC, DEC
    d.opcode = 0xff;
    d.encoding.has_modrm = true;
    d.encoding.reg = opcode >> 3 & 1;
    d.operands[0].place = Place::kRm;
  } else if (opcode == 0x82) {
    d.opcode = 0x80;
  } else if ((opcode & 0xfc) == 0xa0) {
    d.opcode = u8(0x88 | (opcode & 1) | (opcode & 2 ? 0 : 2));
    d.encoding.has_modrm = true;
    for (decode::Operand& operand : d.operands) {
      if (operand.kind == OperandKind::kGpr) operand.place = Place::kReg;
    }
  }
}

unsigned memory_bytes(const Decoded& d) {
  unsigned bits = 0;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    if (d.operands[k].kind == OperandKind::kMemory) bits = std::max<unsigned>(bits, d.operands[k].bits);
  }
  return bits / 8;
}

namespace {
bool has_registers(const Decoded& d) { return d.base != decode::kNoRegister || d.index != decode::kNoRegister; }
}  // namespace

bool is_flat_operand(const Decoded& d, u32 mode) {
  if (!d.has_memory) return true;
  if (d.address_size != 4) return false;
  if (d.mnemonic == ZYDIS_MNEMONIC_LEA) return true;
  switch (d.segment) {
    case x86::kSs:
    case x86::kDs: return true;
    case x86::kFs:
      if (!(mode & interpret::kWholeFs)) return false;
      break;
    case x86::kGs:
      if (!(mode & interpret::kWholeGs)) return false;
      break;
    default: return false;  // seldom named
  }
  return has_registers(d) || u32(d.displacement) <= u32(-memory_bytes(d));
}

bool may_pass_limit(const Decoded& d) { return d.is_in_fs_or_gs() && has_registers(d) && memory_bytes(d) > 1; }

}  // namespace pollux::cpu::translate
