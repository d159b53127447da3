// Calls and returns.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write_call() {
  const i64 target = branch_target(step());
  save_flags();
  if (in_page(target)) {
    push_return();
    go_to(target, index_);
  } else if (links_far()) {
    Far far = begin_far();
    push_return();
    take_far(far, target, 0);
    Assembler* const here = std::exchange(a_, cold_);
    const bool compact = std::exchange(compact_, true);
    miss_far(far, target, before_step());
    call_found();
    compact_ = compact;
    a_ = here;
  } else {
    load_target(target);
    find_jump_or_exit();
    call_found();
  }
}

// The jump that was found is kept while the stack is looked up.
void Writer::call_found() {
  if (compact_)
    a_->call(thunks_.keep_jump);
  else
    pieces().keep_jump();
  push_return();
  if (compact_)
    a_->jump(thunks_.take_kept_jump);
  else
    pieces().take_kept_jump();
}

void Writer::write_call_indirect() {
  load_operand_target();
  find_jump_or_exit();
  call_found();
}

void Writer::write_return() {
  const decode::Decoded& d = step().d;
  const Address top = stack_address(kGuestRsp, 0, false);
  save_flags();
  load_word(kAddressReg, top);
  find_jump_or_exit();
  lea_word(kGuestRsp, {kGuestRsp, i32(word() + (d.operand_count ? u16(d.immediate) : 0))});
  take_jump();
}

}  // namespace pollux::cpu::translate
