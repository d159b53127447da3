// Registers of the state that lie in memory: control registers and selectors are read, the bases of FS and GS also
// written.
#include "cpu/translate/writer.h"
#include "x86/control.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

// Without CR4.FSGSBASE they are no instructions.
void Writer::require_fsgsbase() {
  a_->op({.code = 0xf7}, 0, Address{kFrameReg, layout_.cr[4]});  // test dword
  a_->immediate(u32(x86::kCr4Fsgsbase), 4);
  early_exit(a_->jump_away_if(kZ));
}

// A general register of 16 bits keeps its upper part.
void Writer::write_read_selector() {
  const decode::Operand& to = step().d.operands[0];
  const u64 segment = step().d.operands[1].number * sizeof(x86::Segment);
  const Address selector{kFrameReg, layout_.segment + i32(segment + offsetof(x86::Segment, selector))};
  const bool to_memory = to.kind == decode::OperandKind::kMemory;
  const bool in_host = !to_memory && kHostOf[to.number] != kInMemory;
  if (to_memory) operand_address();
  if (in_host && to.bits == 16) {
    a_->op({.code = 0x8b, .prefix66 = true}, kHostOf[to.number], selector);
    return;
  }
  a_->op({.code = 0xb7, .map = 1}, in_host ? kHostOf[to.number] : kScratch, selector);  // movzx
  if (in_host) return;
  if (to_memory || to.bits == 16)
    a_->op({.code = 0x89, .prefix66 = true}, kScratch, to_memory ? operand_ : guest(to.number));
  else
    a_->store(guest(to.number), kScratch);
}

void Writer::write_read_state() {
  const decode::Decoded& d = step().d;
  const decode::Operand& to = d.operands[0];
  const decode::Operand& from = d.operands[1];
  if (from.kind == decode::OperandKind::kSegment) return write_read_selector();
  const Reg host = kHostOf[to.number] == kInMemory ? kScratch : kHostOf[to.number];
  if (from.kind == decode::OperandKind::kControl) {
    a_->load(host, {kFrameReg, layout_.cr[from.number]});
  } else {
    flags_before_clobber();
    require_fsgsbase();
    const Address base{kFrameReg, d.mnemonic == ZYDIS_MNEMONIC_RDFSBASE ? layout_.fs_base : layout_.gs_base};
    if (to.bits == 64)
      a_->load(host, base);
    else
      a_->load32(host, base);
    clobbered();
  }
  if (host == kScratch) a_->store(guest(to.number), kScratch);
}

void Writer::write_write_base() {
  const decode::Decoded& d = step().d;
  const decode::Operand& from = d.operands[0];
  flags_before_clobber();
  require_fsgsbase();
  load_guest(kScratch, from.number);
  if (from.bits == 32) a_->mov32(kScratch, kScratch);
  a_->mov(kAddressReg, kScratch);  // canonical: the sign of bit 47 goes on
  a_->shift(4, kAddressReg, 16);
  a_->shift(7, kAddressReg, 16);
  a_->op({.code = 0x3b, .wide = true}, kAddressReg, kScratch);
  early_exit(a_->jump_away_if(kNz));
  a_->store({kFrameReg, d.mnemonic == ZYDIS_MNEMONIC_WRFSBASE ? layout_.fs_base : layout_.gs_base}, kScratch);
  clobbered();
}

void Writer::write_read_counter() {
  if (!interpreter_.bus().time_line()) return write_lent(kGoesOn);
  flags_before_clobber();
  if (view_ == unsigned(mmu::View::kUser)) {
    a_->op({.code = 0xf7}, 0, Address{kFrameReg, layout_.cr[4]});  // test dword
    a_->immediate(u32(x86::kCr4Tsd), 4);
    early_exit(a_->jump_away_if(kNz));
  }
  a_->op({.code = 0xc7}, 0, kAddressReg), a_->immediate(not_executed(), 4);  // mov
  a_->call(thunks_.read_counter);
  if (step().d.mnemonic == ZYDIS_MNEMONIC_RDTSCP) a_->load32(kRcxReg, {kFrameReg, layout_.tsc_aux});
  clobbered();
}

void Writer::write_transfer(const u8* thunk) {
  save_flags();
  load_target(step().end());
  a_->call(thunk);
  exit_to_lend(0);
}

// The view of the code that follows is another one, which the salt says. The translator tells the interpreter when
// code calls it (Interpreter::look_at_view).
void Writer::write_change_ac() {
  static_assert(unsigned(mmu::View::kSupervisor) == 1 && unsigned(mmu::View::kSupervisorAc) == 2);
  save_flags();
  const bool set = step().d.mnemonic == ZYDIS_MNEMONIC_STAC;
  a_->arithmetic(set ? 1 : 4, Address{kFrameReg, layout_.rflags}, set ? i32(x86::kAc) : ~i32(x86::kAc), false);
  a_->arithmetic(6, frame(offsetof(Frame, salt)), 3 << kViewShiftInSalt, false);
  a_->arithmetic(6, frame(offsetof(Frame, epoch)), 3, false);
  jump_behind();
}

}  // namespace pollux::cpu::translate
