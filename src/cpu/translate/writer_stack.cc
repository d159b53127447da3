// PUSH, POP, LEAVE. The host's r11 is the guest's stack pointer.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write_push() {
  const decode::Decoded& d = step().d;
  const decode::Operand& from = d.operands[0];
  const bool memory = from.kind == decode::OperandKind::kMemory;
  if (memory) {
    operand_address(true);
    load_word(kAddressReg, operand_);
    a_->store(frame(offsetof(Frame, value)), kAddressReg);
  }
  const Address to = stack_address(kGuestRsp, -word(), true);
  if (from.kind == decode::OperandKind::kImmediate) {
    a_->op({.code = 0xc7, .wide = !code32_}, 0, to);
    a_->immediate(d.immediate, 4);
  } else if (memory || kHostOf[from.number] == kInMemory) {
    a_->load(kScratch, memory ? frame(offsetof(Frame, value)) : guest(from.number));
    store_word(to, kScratch);
  } else {
    store_word(to, kHostOf[from.number]);
  }
  lea_word(kGuestRsp, {kGuestRsp, -word()});
}

// 64-bit code.
void Writer::write_push_flags() {
  flags_before_clobber();
  pieces().join_flags(kAddressReg);
  a_->store(frame(offsetof(Frame, value)), kScratch);
  clobbered();
  const Address to = stack_address(kGuestRsp, -8, true);
  a_->load(kScratch, frame(offsetof(Frame, value)));
  a_->store(to, kScratch);
  a_->lea(kGuestRsp, {kGuestRsp, -8});
}

void Writer::write_pop() {
  const unsigned to = step().d.operands[0].number;
  const Address from = stack_address(kGuestRsp, 0, false);
  if (kHostOf[to] == kInMemory) {
    a_->load(kScratch, from);
    a_->store(guest(to), kScratch);
  } else {
    load_word(kHostOf[to], from);
  }
  if (to != x86::kRsp) lea_word(kGuestRsp, {kGuestRsp, word()});
}

void Writer::write_leave() {
  const Address from = stack_address(kRbpReg, 0, false);
  lea_word(kGuestRsp, {kRbpReg, word()});
  load_word(kRbpReg, from);
}

void Writer::push_return() {
  if (is_usual_call() && step().stack.kind == Access::Kind::kAlone) {
    flags_before_clobber();
    call_and_say(thunks_.push_return[view_], caller_word(true));
    return clobbered();
  }
  const Address to = stack_address(kGuestRsp, -word(), true);
  load_target(step().end(), kScratch);
  store_word(to, kScratch);
  lea_word(kGuestRsp, {kGuestRsp, -word()});
}

}  // namespace pollux::cpu::translate
