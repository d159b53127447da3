// Instructions that are written as they are, with the host's names of the registers.
#include <algorithm>
#include <optional>

#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

namespace {

using decode::Operand;
using decode::OperandKind;
using decode::Place;

// SETcc and CMOVcc carry the condition in the opcode's low bits.
std::optional<Condition> condition_of(const decode::Decoded& d) {
  const bool conditional = d.encoding.map == 1 && ((d.opcode & 0xf0) == 0x40 || (d.opcode & 0xf0) == 0x90);
  if (!conditional) return std::nullopt;
  return Condition(d.opcode & 15);
}

bool in_memory(const Operand& o) {
  return o.kind == OperandKind::kGpr && !o.is_high_byte() && kHostOf[o.number] == kInMemory;
}

// ADD OR ADC SBB AND SUB XOR CMP, MOV: register and operand in either order.
bool has_two_orders(const decode::Decoded& d) {
  return d.encoding.map == 0 && ((d.opcode < 0x40 && (d.opcode & 7) < 4) || (d.opcode & 0xfc) == 0x88);
}

// Instructions of one in-memory register that mean the same with the register's cell as their memory operand.
bool takes_cell(const decode::Decoded& d, const Operand& o) {
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_BT:  // a bit string in memory
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_XCHG:
    case ZYDIS_MNEMONIC_XADD:
    case ZYDIS_MNEMONIC_CMPXCHG: return false;
    // Narrower results would leave the cell in two pieces, which the host's next load would have to wait for.
    default: return !o.written || o.bits == 64;
  }
}

bool only_writes(const decode::Decoded& d, const Operand& o) {
  if (d.operands[1].kind == OperandKind::kGpr && d.operands[1].number == o.number) return false;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD: return o.written && o.bits >= 32;
    default: return false;
  }
}

}  // namespace

Opcode Writer::opcode_of(const decode::Decoded& d) {
  return {.code = d.opcode,
          .map = d.encoding.map,
          .wide = d.encoding.wide,
          .prefix66 = d.encoding.prefix66,
          .repeat = d.encoding.repeat};
}

// Whether nothing before the access to memory needs kScratch.
bool Writer::leaves_scratch() const {
  const Step& s = step();
  if (s.flags.reads || (s.flags.writes_some && needed_after())) return false;
  return std::none_of(s.d.operands.begin(), s.d.operands.begin() + s.d.operand_count,
                      [&](const Operand& o) { return in_memory(o) && !only_writes(s.d, o); });
}

void Writer::write_same() {
  const Step& s = step();
  if (s.d.has_memory) operand_address(leaves_scratch());
  Opcode o = opcode_of(s.d);
  if (const auto condition = s.flags.reads ? condition_of(s.d) : std::nullopt) {
    o.code = u8((o.code & 0xf0) | host_condition(*condition));
  } else {
    give_flags(s.flags);
  }
  same_instruction(o, s.d);
  flags_written(s.flags);
}

// An instruction of registers, one of which is in memory: its cell becomes the memory operand. False: it cannot.
bool Writer::write_with_cell(Opcode o, const decode::Decoded& d) {
  if (d.has_memory || !d.encoding.has_modrm) return false;
  const Operand* cell = nullptr;
  const Operand* other = nullptr;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    const Operand& operand = d.operands[k];
    if (operand.kind == OperandKind::kImmediate || operand.place == Place::kImplied) continue;
    if (operand.is_high_byte()) return false;
    if (in_memory(operand)) {
      if (cell) return false;
      cell = &operand;
    } else {
      if (other) return false;
      other = &operand;
    }
  }
  if (!cell || !takes_cell(d, *cell) || holder(cell->number) != kInMemory) return false;
  if (cell->place == Place::kReg) {
    const bool test = d.encoding.map == 0 && (d.opcode & 0xfe) == 0x84;
    if (!other || other->place != Place::kRm || !(test || has_two_orders(d))) return false;
    if (!test) o.code ^= 2;
  } else if (cell->place != Place::kRm) {
    return false;
  }
  unsigned reg = d.encoding.reg & 7;  // of the opcode
  if (other) {
    reg = other->kind == OperandKind::kGpr ? kHostOf[other->number] : other->number;
    o.byte_register = other->kind == OperandKind::kGpr && other->bits == 8 && reg >= 4 && reg < 8;
  }
  a_->op(o, reg, guest(cell->number));
  a_->immediate(d.immediate, d.encoding.immediate_bytes);
  if (cell->written) drop_held(u16(1u << cell->number));
  return true;
}

// operand_ names a memory operand, by kAddressReg; kScratch and, without one, kAddressReg stand for guest
// registers that are in memory.
void Writer::same_instruction(Opcode o, const decode::Decoded& d) {
  if (write_with_cell(o, d)) return;
  unsigned reg = d.encoding.reg & 7, rm = 0, in_opcode = 0;
  bool short_form = false;
  int swapped = -1;  // AX, CX, DX or BX with its halves exchanged
  Reg free[2] = {kScratch, kAddressReg};
  unsigned used = 0;
  const Operand* borrowed[2] = {};
  for (unsigned k = 0; k < d.operand_count; ++k) {
    const Operand& operand = d.operands[k];
    if (operand.place == Place::kImplied || operand.kind == OperandKind::kMemory) continue;
    if (operand.kind == OperandKind::kImmediate) continue;
    unsigned host = operand.number;
    if (operand.kind == OperandKind::kGpr) {
      if (operand.is_high_byte()) {
        host = operand.gpr() + 4u;
        if (d.has_memory) swapped = operand.gpr(), host = unsigned(swapped);
      } else {
        host = kHostOf[operand.number];
        if (host == kInMemory) {
          for (unsigned n = 0; n < used; ++n) {
            if (borrowed[n]->number == operand.number) host = free[n];
          }
          if (host == kInMemory) {
            POLLUX_CHECK(used < (d.has_memory ? 1u : 2u), "scratch registers suffice");
            const Reg held = holder(operand.number);
            const bool other = held == free[1] || (held == kInMemory && is_in_use(free[0]) && !is_in_use(free[1]));
            if (used == 0 && other && !d.has_memory) std::swap(free[0], free[1]);
            borrowed[used] = &operand;
            host = free[used++];
            if (host != held && !only_writes(d, operand)) load_guest(Reg(host), operand.number);
          }
        }
        if (operand.bits == 8 && host >= 4 && host < 8) o.byte_register = true;
      }
    }
    switch (operand.place) {
      case Place::kReg: reg = host; break;
      case Place::kRm: rm = host; break;
      case Place::kOpcode: in_opcode = host, short_form = true; break;
      default: break;
    }
  }
  const auto swap_halves = [&] {  // xchg low, high
    if (swapped >= 0) a_->byte(0x86), a_->byte(u8(0xc0 | swapped << 3 | (swapped + 4)));
  };
  swap_halves();
  if (short_form) {
    a_->op_short(o, in_opcode);
  } else if (!d.encoding.has_modrm) {
    a_->op_plain(o);
  } else if (d.has_memory) {
    a_->op(o, reg, operand_);
  } else {
    a_->op(o, reg, rm);
  }
  a_->immediate(d.immediate, d.encoding.immediate_bytes);
  swap_halves();
  for (unsigned n = 0; n < used; ++n) {
    bool written = false;
    for (unsigned k = 0; k < d.operand_count; ++k) {
      const Operand& operand = d.operands[k];
      written |= operand.kind == OperandKind::kGpr && operand.number == borrowed[n]->number && operand.written;
    }
    if (written) a_->store(guest(borrowed[n]->number), free[n]);
  }
  for (unsigned n = 0; n < used; ++n) holds(free[n], borrowed[n]->number);
}

}  // namespace pollux::cpu::translate
