// Shifts and rotates. Hosts differ in OF after counts other than one, and in CF beyond the operand's width. The
// interpreter's rules (cpu/interpret/shift.cc) are those for a count of one, on the result: so where flags are needed,
// the last bit is shifted on its own.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

namespace {

// The same instruction by one: D0, D1 in place of C0, C1 and of D2, D3.
decode::Decoded by_one(decode::Decoded d) {
  d.opcode = u8(0xd0 | (d.opcode & 1));
  d.encoding.immediate_bytes = 0;
  d.immediate = 1;
  return d;
}

}  // namespace

// By an immediate of at least two.
void Writer::write_shift() {
  const Step& s = step();
  if (s.d.has_memory) operand_address();
  give_flags(s.flags);
  flags_.step = int(index_);
  if (!s.d.has_memory && s.flags.writes_all && needed_after() && can_remake(index_ + 1)) {
    keep_shifted();
    same_instruction(opcode_of(s.d), s.d);
    flags_.where = Where::kRemade;
    flags_.repair = Repair::kNone;
    return;
  }
  if (needed_after()) {
    decode::Decoded first = s.d;
    first.immediate = (s.d.immediate & count_mask(s.d)) - 1;
    same_instruction(opcode_of(first), first);
    const decode::Decoded last = by_one(s.d);
    same_instruction(opcode_of(last), last);
  } else {
    same_instruction(opcode_of(s.d), s.d);
  }
  flags_written(s.flags);
  flags_.step = -1;  // what was shifted is lost
}

// For who makes the flags again.
void Writer::keep_shifted() {
  load_guest(kScratch, step().d.operands[0].number);
  a_->store(frame(offsetof(Frame, shifted)), kScratch);
}

void Writer::shift_again() {
  const decode::Decoded& d = step().d;
  const unsigned extension = d.encoding.reg & 7;
  const bool wide = d.operand_size == 8;
  a_->load(kScratch, frame(offsetof(Frame, shifted)));
  a_->shift(extension, kScratch, u8((d.immediate & count_mask(d)) - 1), wide);
  a_->op({.code = 0xd1, .wide = wide}, extension, kScratch);
  flags_written(step().flags);
}

// By CL, so perhaps by nothing, which leaves the flags as they were. Registers only, and not RCX.
void Writer::write_shift_by_cl() {
  const Step& s = step();
  const bool twice = is_double_shift(s.d.mnemonic);
  if (!needed_after()) {
    same_instruction(opcode_of(s.d), s.d);
    if (twice) clear_upper_half(s.d);
    clobbered();
    flags_.where = Where::kNowhere;
    return;
  }
  save_flags();
  clobbered();
  a_->byte(0xf6), a_->byte(0xc1);  // test cl, mask
  a_->immediate(count_mask(s.d), 1);
  u8* const none = a_->jump_if(kZ);
  if (twice) {
    same_instruction(opcode_of(s.d), s.d);
    save_double_shift_flags(s.d);
  } else {
    a_->lea(kRcxReg, {kRcxReg, -1});
    same_instruction(opcode_of(s.d), s.d);
    a_->lea(kRcxReg, {kRcxReg, 1});
    if (is_rotate(s.d.mnemonic)) restore_flags();
    const decode::Decoded last = by_one(s.d);
    same_instruction(opcode_of(last), last);
    flags_.where = Where::kHost;
    flags_.repair = s.flags.repair;
    save_flags();
  }
  a_->link_here(none);
  clear_upper_half(s.d);
  flags_.where = Where::kMemory;
}

// Of a result of 32 bits, also when the count was 0.
void Writer::clear_upper_half(const decode::Decoded& d) {
  if (d.operand_size != 4) return;
  const unsigned to = d.operands[0].number;
  if (kHostOf[to] == kInMemory) {
    a_->load32(kScratch, guest(to));
    a_->store(guest(to), kScratch);
  } else {
    a_->mov32(kHostOf[to], kHostOf[to]);
  }
}

// SHLD, SHRD of registers by an immediate.
void Writer::write_double_shift() {
  const Step& s = step();
  const decode::Decoded& d = s.d;
  same_instruction(opcode_of(d), d);
  if (!needed_after() || (d.immediate & count_mask(d)) <= 1) return flags_written(s.flags);
  save_double_shift_flags(d);
  flags_.where = Where::kMemory;
  flags_.repair = Repair::kNone;
  flags_.step = -1;
}

// OF by the rule from the result: SHLD: its sign is not CF; SHRD: its two highest bits differ.
void Writer::save_double_shift_flags(const decode::Decoded& d) {
  const bool wide = d.encoding.wide;
  const unsigned to = d.operands[0].number;
  a_->mov(kScratch, kRaxReg);
  a_->byte(0x9f);  // lahf
  if (d.mnemonic == ZYDIS_MNEMONIC_SHLD) {
    a_->byte(0x88), a_->byte(0xe0);               // mov al, ah
    a_->byte(0xc0), a_->byte(0xe8), a_->byte(7);  // shr al, 7
    a_->byte(0x30), a_->byte(0xe0);               // xor al, ah
    a_->byte(0x24), a_->byte(1);                  // and al, 1
  } else {
    const bool in_rax = kHostOf[to] == kRaxReg;
    if (in_rax)
      a_->mov(kAddressReg, kScratch);
    else
      load_guest(kAddressReg, to);
    a_->op({.code = 0x03, .wide = wide}, kAddressReg, kAddressReg);  // add
    const Opcode exclusive_or{.code = 0x33, .wide = wide};
    if (kHostOf[to] == kInMemory) {
      a_->op(exclusive_or, kAddressReg, guest(to));
    } else {
      a_->op(exclusive_or, kAddressReg, in_rax ? kScratch : kHostOf[to]);
    }
    a_->shift(5, kAddressReg, wide ? 63 : 31, wide);
    a_->op({.code = 0x8a, .byte_register = true}, kRaxReg, kAddressReg);  // mov al, r14b
  }
  a_->byte(0x80), a_->byte(0xe4), a_->byte(0xef);  // and ah, ~AF
  a_->op({.code = 0x89, .prefix66 = true}, kRaxReg, frame(offsetof(Frame, arithmetic)));
  a_->mov(kRaxReg, kScratch);
}

}  // namespace pollux::cpu::translate
