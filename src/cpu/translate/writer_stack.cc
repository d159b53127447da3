// PUSH, POP, LEAVE. The host's r11 is the guest's stack pointer.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write_push() {
  const decode::Decoded& d = step().d;
  const decode::Operand& from = d.operands[0];
  if (from.kind == decode::OperandKind::kMemory) {
    operand_address();
    a_->load(kAddressReg, Address{kAddressReg});
    a_->store(frame(offsetof(Frame, value)), kAddressReg);
  }
  flags_before_clobber();
  a_->lea(kAddressReg, {kGuestRsp, -8});
  look_up(8, true);
  clobbered();
  if (from.kind == decode::OperandKind::kImmediate) {
    a_->op({.code = 0xc7, .wide = true}, 0, Address{kAddressReg});
    a_->immediate(d.immediate, 4);
  } else if (from.kind == decode::OperandKind::kMemory) {
    a_->load(kScratch, frame(offsetof(Frame, value)));
    a_->store({kAddressReg}, kScratch);
  } else if (kHostOf[from.number] == kInMemory) {
    a_->load(kScratch, guest(from.number));
    a_->store({kAddressReg}, kScratch);
  } else {
    a_->store({kAddressReg}, kHostOf[from.number]);
  }
  a_->lea(kGuestRsp, {kGuestRsp, -8});
}

void Writer::write_pop() {
  const unsigned to = step().d.operands[0].number;
  flags_before_clobber();
  a_->mov(kAddressReg, kGuestRsp);
  look_up(8, false);
  clobbered();
  if (kHostOf[to] == kInMemory) {
    a_->load(kScratch, {kAddressReg});
    a_->store(guest(to), kScratch);
  } else {
    a_->load(kHostOf[to], {kAddressReg});
  }
  if (to != x86::kRsp) a_->lea(kGuestRsp, {kGuestRsp, 8});
}

void Writer::write_leave() {
  flags_before_clobber();
  a_->mov(kAddressReg, kRbpReg);
  look_up(8, false);
  clobbered();
  a_->lea(kGuestRsp, {kRbpReg, 8});
  a_->load(kRbpReg, {kAddressReg});
}

void Writer::push_return() {
  a_->load(kScratch, frame(offsetof(Frame, page)));
  a_->lea(kScratch, {kScratch, step().end()});
  a_->store({kAddressReg}, kScratch);
  a_->lea(kGuestRsp, {kGuestRsp, -8});
}

}  // namespace pollux::cpu::translate
