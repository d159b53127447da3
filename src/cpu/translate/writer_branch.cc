// Branches. A target in the same page is linked: code of a page lives and dies together. Any other is found in the
// frame's jump entries; when it is not there, the interpreter executes the branch, so that nothing has happened yet
// when the target turns out not to exist.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write_branch() {
  const Step& s = step();
  const unsigned wanted = (s.d.opcode & 15) ^ (s.taken ? 1 : 0);
  const Condition c = host_condition(Condition(wanted));
  Flags away = flags_;
  const bool made_here = flags_.where == Where::kHost && flags_.step >= 0;  // so that c is as the guest's condition
  if (made_here && trace_->steps[unsigned(flags_.step)].flags.zero_tells_all) {
    away.zero |= c == kZ;
    flags_.zero |= c == kNz;
  }
  edges_.push_back({a_->jump_if(c), index_, s.taken ? i64(s.end()) : branch_target(s), away});
}

// Out of line: the way of a taken branch.
void Writer::edge(const Edge& e) {
  flags_ = e.flags;
  index_ = e.step;
  a_->link_here(e.from);
  go_to(e.target, e.step, e.from);
}

void Writer::go_to(i64 target, unsigned from, u8* jump) {
  const unsigned rest = count() - from - 1;
  if (!in_page(target)) {
    save_flags();
    go_far(target, before_step(), rest);
    return;
  }
  if (!jump && flags_.zero && !pending_from(index_ + 1)) save_flags();  // which is short
  // The translator links the jump when it is taken for the first time; where something comes before the jump, it writes
  // code over the record.
  Assembler* const here = a_;
  if (!jump) {
    jump = a_->jump();
    a_ = cold_;
    a_->link_here(jump);
  }
  const bool before = rest || flags_.repair != Repair::kNone;
  if (flags_.repair != Repair::kNone) save_flags();
  const bool host_flags = flags_.where == Where::kHost;
  Exit out{.kind = ExitKind::kLink,
           .give_back = u8(rest),
           .detail = host_flags ? kHostFlags : u16{0},
           .offset = i32(target)};
  const auto used = host_flags ? pending_from(index_ + 1) : std::nullopt;
  if (used && in_page(trace_->steps[unsigned(flags_.step)].offset)) {
    out.flags_from = trace_->steps[unsigned(flags_.step)].offset;
    out.detail = *used;
  }
  exit(out, before ? nullptr : jump, host_flags ? thunks_.out_with_flags : thunks_.out);
  a_ = here;
}

// The registers that the flags follow from, unchanged when so many steps have been executed; nothing: some are changed, or
// they do not.
std::optional<u16> Writer::pending_from(unsigned executed) const {
  if (flags_.step < 0 || trace_->steps[unsigned(flags_.step)].action != Action::kSame) return std::nullopt;
  const std::optional<u16> used = remade_from(trace_->steps[unsigned(flags_.step)]);
  for (unsigned n = unsigned(flags_.step) + 1; used && n < executed; ++n) {
    if (trace_->steps[n].d.gprs_written & *used) return std::nullopt;
  }
  return used;
}

void Writer::find_jump_or_exit() {
  if (compact_) return call_and_say(thunks_.find_jump, caller_word());
  u8* const miss = pieces().find_jump();
  early_exit(miss, ExitKind::kMissed, 0, a_->at());
}

void Writer::take_jump() {
  if (compact_)
    a_->jump(thunks_.take_jump);
  else
    pieces().take_jump();
}

void Writer::write_jump() { go_to(branch_target(step()), index_); }

void Writer::load_operand_target() {
  const decode::Decoded& d = step().d;
  if (d.has_memory) {
    save_flags();
    operand_address(true);
    load_word(kAddressReg, operand_);
  } else {
    save_flags();
    load_guest(kAddressReg, d.operands[0].number);
    if (code32_) a_->mov32(kAddressReg, kAddressReg);
  }
}

void Writer::write_jump_indirect() {
  load_operand_target();
  if (step().taken) return leave_unless_next([&] { find_and_take_jump([] {}); });
  write_guess([] {}, [&] { take_jump(); });
  find_and_take_jump([] {});
}

void Writer::write_end() {
  const Step& last = trace_->steps.back();
  index_ = count() - 1;
  if (last.action > Action::kBranch && !last.taken) return;
  if (trace_->interpret) {
    save_flags();
    write_interpreted();
  } else if (in_page(trace_->end)) {
    go_to(trace_->end, index_);
  } else {
    save_flags();
    jump_behind();
  }
}

// Goes on behind the trace, where its last instruction has retired.
void Writer::jump_behind() { go_far(trace_->end, behind_trace(), 0); }

// What crosses a page has a translation that depends on two pages, so it is not linked to.
void Writer::write_interpreted() {
  if (trace_->crosses)
    jump_behind();
  else
    exit({.kind = ExitKind::kInterpret, .offset = trace_->end});
}

}  // namespace pollux::cpu::translate
