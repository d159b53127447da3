#include "cpu/translate/sequences.h"

#include <cstdlib>

#include "base/check.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

void Sequences::shifted_address(i8 right) {
  if (layout_.has_bmi) return a_.rotate_right32(kScratch, kAddressReg, u8(right) & 31);
  a_.mov32(kScratch, kAddressReg);
  a_.shift(right > 0 ? 5 : 4, kScratch, u8(std::abs(right)), false);
}

void Sequences::tlb_index() {
  if (layout_.has_bmi && below_ == 0) return a_.extract_bits32(kScratch, kAddressReg, kRspReg);
  shifted_address(memory::kPageShift);
  a_.arithmetic(4, kScratch, mmu::kTlbEntries - 1, false);
}

Address Sequences::entry(i32 table) const {
  const bool in_gs = is_in_gs(layout_, table) && below_ == 0;
  return {kFrameReg, in_gs ? 0 : table + below_, kScratch, 3, in_gs};
}

// mmu/tlb.h says what an entry is.
u8* Sequences::look_up(unsigned view, bool write, unsigned size, bool aligned, Gives gives) {
  const u8* const begin = a_.at();
  const Layout::Tlb& tlb = layout_.tlb[view];
  u8* miss;
  tlb_index();
  a_.op({.code = 0x33, .wide = true}, kAddressReg, entry(tlb.tags[write]));
  if (aligned) {
    a_.op({.code = 0xf7, .wide = true}, 0, kAddressReg);  // test
    a_.immediate(u32(~(memory::kPageSize - size)), 4);
    miss = a_.jump_away_if(kNz);
  } else {
    a_.arithmetic(7, kAddressReg, i32(memory::kPageSize - size));
    miss = a_.jump_away_if(kNbe);
  }
  switch (gives) {
    case Gives::kHost: a_.op({.code = 0x03, .wide = true}, kAddressReg, entry(tlb.hosts)); break;
    case Gives::kSum: a_.load(kScratch, entry(tlb.hosts)); break;
    case Gives::kDistance: a_.load(kScratch, entry(tlb.distances)); break;
  }
  const i64 longer = look_up_bytes(layout_, view, write) - (a_.at() - begin);
  POLLUX_CHECK(below_ || longer == 0 || longer == Assembler::kSavedByPad,
               "who comes back behind a look-up knows its length");
  return miss;
}

u8* Sequences::jump_if_readable(unsigned view) {
  const auto exchange_tags = [&] {
    for (const i32 tags : layout_.tlb[view].tags) a_.op({.code = 0x33, .wide = true}, kAddressReg, entry(tags));
  };
  exchange_tags();
  a_.arithmetic(7, kAddressReg, i32(memory::kPageSize));
  u8* const readable = a_.jump_if(kB);
  exchange_tags();
  return readable;
}

u8* Sequences::find_jump(bool to_pad, JumpKind kind) {
  shifted_address(-1);
  a_.op({.code = 0x33}, kScratch, kAddressReg);
  a_.op({.code = 0x33}, kScratch, frame(offsetof(Frame, salt)));
  if (kind != JumpKind::kJump) a_.arithmetic(6, kScratch, i32(kind) << kJumpShift, false);
  a_.arithmetic(4, kScratch, (kJumpEntries - 1) << kJumpShift, false);
  a_.op({.code = 0x3b, .wide = true}, kAddressReg, found_jump(offsetof(JumpEntry, linear)));  // cmp
  return to_pad ? a_.jump_to_pad_if(kNz) : a_.jump_if(kNz);
}

void Sequences::take_jump() {
  a_.arithmetic(4, kAddressReg, ~i32(memory::kPageMask));
  a_.store(frame(offsetof(Frame, page)), kAddressReg);
  a_.jump(found_jump(offsetof(JumpEntry, code)));
}

void Sequences::keep_jump() {
  a_.store(frame(offsetof(Frame, kept)), kAddressReg);
  a_.store(frame(offsetof(Frame, kept) + sizeof(u64)), kScratch);
}

void Sequences::restore_jump() {
  a_.load(kAddressReg, frame(offsetof(Frame, kept)));
  a_.load(kScratch, frame(offsetof(Frame, kept) + sizeof(u64)));
}

void Sequences::take_flags(Repair repair) {
  if (repair != Repair::kCarryOnly) a_.byte(0x9f);                               // lahf
  if (repair != Repair::kZeroOnly) a_.op({.code = 0x90, .map = 1}, 0, kRaxReg);  // seto al
  switch (repair) {
    case Repair::kNone: break;
    case Repair::kClearAf: a_.byte(0x80), a_.byte(0xe4), a_.byte(0xef); break;  // and ah, ~AF
    case Repair::kCarryOnly:
      a_.byte(0x88), a_.byte(0xc4);                  // mov ah, al: CF equals OF
      a_.byte(0x80), a_.byte(0xcc), a_.byte(0x02);  // or ah, 2
      break;
    case Repair::kZeroOnly:
      a_.byte(0x80), a_.byte(0xe4), a_.byte(0x40);  // and ah, ZF
      a_.byte(0x80), a_.byte(0xcc), a_.byte(0x02);
      a_.byte(0xb0), a_.byte(0x00);                  // mov al, 0
      break;
  }
}

void Sequences::save_flags(Repair repair) {
  a_.mov(kScratch, kRaxReg);
  take_flags(repair);
  a_.op({.code = 0x89, .prefix66 = true}, kRaxReg, frame(offsetof(Frame, arithmetic)));
  a_.mov(kRaxReg, kScratch);
}

void Sequences::join_flags(Reg other) {
  a_.op({.code = 0xb6, .map = 1}, kScratch, frame(offsetof(Frame, arithmetic)));  // movzx: OF as 0 or 1
  a_.shift(4, kScratch, 11, false);
  a_.op({.code = 0x0a}, kScratch, frame(offsetof(Frame, arithmetic) + 1));  // or byte: the others
  a_.load32(other, {kFrameReg, layout_.rflags + below_});
  a_.arithmetic(4, other, ~i32(x86::kArithmeticFlags | x86::kRf | x86::kVm), false);
  a_.op({.code = 0x0b}, kScratch, other);  // or
}

}  // namespace pollux::cpu::translate
