// Instructions that need more than other register names.
#include <bit>

#include "cpu/translate/writer.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

using decode::Operand;

void Writer::write_lea() {
  const decode::Decoded& d = step().d;
  const Operand& to = d.operands[0];
  const Reg host = kHostOf[to.number];
  // A 32-bit sum is the low half of a 64-bit one.
  const bool narrow = to.bits == 32 || d.address_size == 4;
  const bool direct = to.bits >= 32 && host != kInMemory;
  const bool loads_base = d.base < kHostOf.size() && kHostOf[d.base] == kInMemory;
  const bool loads_over_index = loads_base && d.index != decode::kNoRegister && kHostOf[d.index] == host;
  if (direct && !loads_over_index) {
    effective_address(d, host, 0, narrow);
    return;
  }
  effective_address(d, kAddressReg, 0, narrow);
  if (to.bits == 16) {
    if (host == kInMemory) {
      a_->op({.code = 0x89, .prefix66 = true}, kAddressReg, guest(to.number));
    } else {
      a_->op({.code = 0x8b, .prefix66 = true}, host, kAddressReg);
    }
    return;
  }
  store_guest(to.number, kAddressReg);
}

// A source of zero leaves the destination alone, whole.
void Writer::write_scan() {
  const Step& s = step();
  const Operand& to = s.d.operands[0];
  const Opcode o{.code = s.d.opcode, .map = 1, .wide = s.d.encoding.wide};
  Reg result = kAddressReg;
  if (s.d.has_memory) {
    operand_address(true);
    result = kScratch;
    a_->op(o, result, operand_);
  } else {
    Reg from = kHostOf[s.d.operands[1].number];
    if (from == kInMemory) a_->load(from = kScratch, guest(s.d.operands[1].number));
    a_->op(o, result, from);
  }
  const Opcode cmovz{.code = 0x44, .map = 1, .wide = true};
  if (kHostOf[to.number] == kInMemory)
    a_->op(cmovz, result, guest(to.number));
  else
    a_->op(cmovz, result, kHostOf[to.number]);
  store_guest(to.number, result);
  flags_written(s.flags);
}

// Without the lock that the instruction implies: one thread runs the machine.
void Writer::write_exchange() {
  const decode::Decoded& d = step().d;
  operand_address();
  const Operand& other = d.operands[d.operands[0].kind == decode::OperandKind::kGpr ? 0 : 1];
  const Reg reg = kHostOf[other.number];
  if (reg == kInMemory) {
    same_instruction({.code = d.opcode, .wide = d.encoding.wide, .prefix66 = d.encoding.prefix66}, d);
    return;
  }
  const bool byte = other.bits == 8;
  Opcode o{
      .code = u8(byte ? 0x8a : 0x8b), .wide = d.encoding.wide, .prefix66 = d.encoding.prefix66, .byte_register = byte};
  a_->op(o, kScratch, operand_);
  o.code = byte ? 0x88 : 0x89;
  a_->op(o, reg, operand_);
  o.code = byte ? 0x8a : 0x8b;
  a_->op(o, reg, kScratch);
}

// The host divides when it surely does not fault; the rest is for the interpreter. No flag changes.
void Writer::write_divide() {
  const Step& s = step();
  const bool wide = s.d.encoding.wide;
  const auto give_up = [&](Condition c) { early_exit(a_->jump_away_if(c)); };
  if (s.d.has_memory) {
    operand_address(true);
    flags_before_clobber();
    a_->op({.code = 0x8b, .wide = wide}, kScratch, operand_);
  } else {
    flags_before_clobber();
    load_guest(kScratch, s.d.operands[0].number);
  }
  if (s.d.mnemonic == ZYDIS_MNEMONIC_DIV) {
    a_->op({.code = 0x3b, .wide = wide}, kRdxReg, kScratch);  // the quotient fits when rdx < divisor
    give_up(kNb);
  } else {
    a_->op({.code = 0x8b, .wide = wide}, kAddressReg, kRaxReg);
    a_->shift(7, kAddressReg, wide ? 63 : 31, wide);
    a_->op({.code = 0x3b, .wide = wide}, kAddressReg, kRdxReg);  // a dividend as long as the divisor
    give_up(kNz);
    a_->op({.code = 0x8d, .wide = wide}, kAddressReg, Address{kScratch, 1});
    a_->arithmetic(7, kAddressReg, 1, wide);  // and a divisor that is not 0 or -1
    give_up(kBe);
  }
  a_->op({.code = 0xf7, .wide = wide}, s.d.mnemonic == ZYDIS_MNEMONIC_DIV ? 6 : 7, kScratch);
  clobbered();
}

// The register's number reaches the whole bit string around the address: the operand is the word that holds the bit.
void Writer::write_bit_string() {
  const Step& s = step();
  const decode::Decoded& d = s.d;
  const bool wide = d.encoding.wide;
  const unsigned number = d.operands[1].number;
  const auto load_number = [&] {
    load_guest(kScratch, number);
    if (!wide) a_->op({.code = 0x63, .wide = true}, kScratch, kScratch);  // movsxd
  };
  flags_before_clobber();
  load_number();
  a_->arithmetic(4, kScratch, wide ? 63 : 31, false);
  a_->store(frame(offsetof(Frame, value)), kScratch);
  effective_address(d, kAddressReg, 0, false);
  load_number();
  a_->shift(7, kScratch, wide ? 6 : 5);
  a_->lea(kAddressReg, {kAddressReg, 0, kScratch, u8(wide ? 3 : 2)});
  add_segment_base(d);
  look_up(s.operand, wide ? 8 : 4, d.mnemonic != ZYDIS_MNEMONIC_BT);
  clobbered();
  give_flags(s.flags);
  a_->load(kScratch, frame(offsetof(Frame, value)));
  a_->op({.code = d.opcode, .map = 1, .wide = wide}, kScratch, Address{kAddressReg});
  flags_written(s.flags);
}

void Writer::write_system_flag() {
  flags_before_clobber();
  const bool set = step().d.mnemonic == ZYDIS_MNEMONIC_STD;
  const i32 flag = step().d.mnemonic == ZYDIS_MNEMONIC_CLI ? x86::kIf : x86::kDf;
  a_->arithmetic(set ? 1 : 4, Address{kFrameReg, layout_.rflags}, set ? flag : ~flag, false);
  clobbered();
}

// While the interrupt line is not raised, nothing can tell the shadow: an instruction that raises it, by its access to
// a device, is the one in the shadow or stands behind it.
void Writer::write_sti() {
  flags_before_clobber();
  a_->arithmetic(7, Address{kFrameReg, layout_.attention}, 0, false);
  early_exit(a_->jump_away_if(kNz));
  a_->arithmetic(1, Address{kFrameReg, layout_.rflags}, x86::kIf, false);
  clobbered();
}

void Writer::write_swap_gs() {
  const Address active{kFrameReg, layout_.gs_base}, kernel{kFrameReg, layout_.kernel_gs_base};
  a_->load(kAddressReg, active);
  a_->load(kScratch, kernel);
  a_->store(active, kScratch);
  a_->store(kernel, kAddressReg);
}

void Writer::write_repeat() {
  const decode::Decoded& d = step().d;
  const unsigned size = d.opcode & 1 ? unsigned(std::countr_zero(unsigned(d.operand_size))) : 0;
  const bool move = (d.opcode & ~1) == 0xa4;
  save_flags();
  a_->call(thunks_.repeat[view_][move][size]);
  clobbered();
  u8* const failed = a_->jump_if(kNz);
  const u8* const behind = a_->at();
  Assembler* const here = std::exchange(a_, cold_);
  a_->link_here(failed);
  exit_to_lend(kGoesOn);  // makes the flags, wherever they are, and they stay there
  a_->jump(behind);
  a_ = here;
}

void Writer::exit_to_lend(u16 detail) {
  exit({.kind = ExitKind::kLent,
        .give_back = u8(not_executed()),
        .detail = detail,
        .offset = step().offset,
        .flags_from = flags_from(),
        .to = i32(cache_.add_lent(interpreter_.lend(step().d, *step().row)))});
}

void Writer::write_lent(u16 detail) {
  save_flags();
  exit_to_lend(detail);
  flags_.where = Where::kMemory;
  flags_.repair = Repair::kNone;
  flags_.step = -1;
}

}  // namespace pollux::cpu::translate
