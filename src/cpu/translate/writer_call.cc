// Calls and returns.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write_call() {
  if (step().taken) return push_return();
  const i64 target = branch_target(step());
  save_flags();
  if (!in_page(target) && !links_far() && is_usual_call()) return call_far(target);
  if (in_page(target) || links_far()) return link_to(target, [&] { push_return(); }, [&] { call_found(); });
  load_target(target);
  find_jump_or_exit();
  call_found();
}

// For which there are thunks.
bool Writer::is_usual_call() const { return short_ && !code32_ && i32(step().d.length) == kCallBytes; }

void Writer::call_far(i64 target) {
  const bool known = step().stack.kind == Access::Kind::kMember;
  if (known) {
    const Address to = stack_address(kGuestRsp, -word(), true);
    if (to.displacement) a_->lea(kAddressReg, to);
  }
  call_and_say(known ? thunks_.call_far_on : thunks_.call_far[view_], caller_word(true));
  say(i32(target));
}

// Looking up the stack changes no jump entry where the code goes on. The thunks keep what they find.
void Writer::call_found() {
  if (!compact_) pieces().keep_jump();
  push_return();
  if (compact_) return a_->jump(thunks_.take_kept_jump);
  pieces().restore_jump();
  take_jump();
}

void Writer::write_call_indirect() {
  load_operand_target();
  if (step().taken) {
    leave_unless_next([&] {
      find_jump_or_exit();
      call_found();
    });
    return push_return();
  }
  write_guess([&] { push_return(); }, [&] { call_found(); });
  find_jump_or_exit();
  call_found();
}

void Writer::write_return() {
  const bool usual =
      short_ && !code32_ && !step().taken && trace_->guess == kElsewhere && popped_by_return(step().d, 8) == 8;
  if (usual && step().stack.kind == Access::Kind::kAlone) {
    save_flags();
    return call_and_say(thunks_.return_far[view_], caller_word(true));
  }
  const Address top = stack_address(kGuestRsp, 0, false);
  save_flags();
  load_word(kAddressReg, top);
  if (usual) return call_and_say(thunks_.return_to, caller_word());
  if (!step().taken) {
    write_guess([&] { pop_return(); }, [&] { pop_return(), take_jump(); });
    return leave_by_return();
  }
  leave_unless_next([&] { leave_by_return(); });
  pop_return();
}

// To the address in kAddressReg.
void Writer::leave_by_return() {
  find_and_take_jump([&] { pop_return(); });
}

void Writer::pop_return() {
  lea_word(kGuestRsp, {kGuestRsp, popped_by_return(step().d, unsigned(word()))});
}

}  // namespace pollux::cpu::translate
