#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

void Writer::write(Assembler& hot, Assembler& cold, i64 executable, const Trace& trace, Translation& out) {
  POLLUX_CHECK(hot.room() >= kRoom && cold.room() >= kRoom, "a trace is only written where it fits");
  a_ = hot_ = &hot;
  cold_ = &cold;
  trace_ = &trace;
  out_ = &out;
  out.steps = count();
  slow_paths_.clear();
  early_exits_.clear();
  flag_step_ = -1;
  edges_.clear();
  if (trace.steps.empty()) {
    a_ = cold_;
    out.host_entry = a_->at() + executable;
    where_ = Where::kHost;
    repair_ = Repair::kNone;
    save_flags();
    out.memory_entry = a_->at() + executable;
    exit(ExitKind::kInterpret, trace.end, 0);
    return;
  }
  entry();
  for (; index_ < count(); ++index_) write_step(index_);
  write_end();
  a_ = cold_;
  write_stubs();
  out.host_entry += executable;
  out.memory_entry += executable;
}

// Entered with the flags in the host's or in memory. Where the trace overwrites them before anything can look, nothing
// is saved, and the instructions are counted just before they are overwritten.
void Writer::entry() {
  index_ = 0;
  where_ = Where::kHost;
  repair_ = Repair::kNone;
  out_->host_entry = a_->at();
  budget_repeats_ = !trace_->steps[0].needed_before;
  if (budget_repeats_) {
    where_ = Where::kNowhere;
    out_->memory_entry = a_->at();
    for (; !step().flags.writes_all || step().action == Action::kShiftByCl; ++index_) write_step(index_);
  } else {
    save_flags();
    out_->memory_entry = a_->at();
    where_ = Where::kMemory;
  }
  budget_step_ = index_;
  a_->arithmetic(5, frame(offsetof(Frame, budget)), i32(count()));
  budget_jump_ = a_->jump_if(kL);
}

void Writer::write_step(unsigned index) {
  index_ = index;
  switch (step().action) {
    case Action::kInterpret: POLLUX_CHECK(false, "a trace holds what can be written"); break;
    case Action::kNothing: break;
    case Action::kSame: write_same(); break;
    case Action::kLea: write_lea(); break;
    case Action::kShiftByCl: write_shift_by_cl(); break;
    case Action::kScan: write_scan(); break;
    case Action::kExchange: write_exchange(); break;
    case Action::kDivide: write_divide(); break;
    case Action::kBitString: write_bit_string(); break;
    case Action::kSystemFlag: write_system_flag(); break;
    case Action::kPush: write_push(); break;
    case Action::kFollowed: break;
    case Action::kPushFlags: write_push_flags(); break;
    case Action::kPop: write_pop(); break;
    case Action::kLeave: write_leave(); break;
    case Action::kBranch: write_branch(); break;
    case Action::kJump: write_jump(); break;
    case Action::kCall: write_call(); break;
    case Action::kReturn: write_return(); break;
    case Action::kJumpIndirect: write_jump_indirect(); break;
    case Action::kCallIndirect: write_call_indirect(); break;
  }
}

void Writer::write_stubs() {
  a_->link_here(budget_jump_);
  index_ = budget_step_;
  if (budget_repeats_) {
    // The flags are gone, but the next instruction makes new ones and needs nothing else.
    where_ = Where::kNowhere;
    write_step(budget_step_);
    where_ = Where::kHost;
    repair_ = step().flags.repair;
    save_flags();
    exit(ExitKind::kBudget, step().end(), count() - budget_step_ - 1);
  } else {
    exit(ExitKind::kBudget, step().offset, count());
  }
  for (std::size_t n = 0; n < edges_.size(); ++n) edge(Edge(edges_[n]));
  for (const SlowPath& slow : slow_paths_) {
    a_->link_here(slow.from);
    a_->op({.code = 0x33, .wide = true}, kAddressReg,
           Address{kFrameReg, layout_.tables[view_][(slow.access & kWriteAccess) != 0], kScratch});
    a_->mov_immediate32(kScratch, slow.access);
    a_->call(thunks_.slow_access);
    a_->op({.code = 0x85}, kScratch, kScratch);
    a_->jump_if(kZ, slow.retry);
    const Step& at = trace_->steps[slow.step];
    const unsigned rest = count() - slow.step;
    if (slow.access & kGroupAccess) {
      a_->arithmetic(7, kScratch, i32(Filled::kSeparate), false);
      u8* const interpret = a_->jump_if(kNz);
      remake_flags(slow.flag_step);  // destroys kScratch
      a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(rest));
      u8* const jump = a_->jump();
      a_->link_here(jump);
      exit(ExitKind::kSeparate, at.offset, 0, jump);
      a_->link_here(interpret);
    }
    remake_flags(slow.flag_step);
    exit(ExitKind::kInterpret, at.offset, rest);
  }
  for (const EarlyExit& early : early_exits_) {
    a_->link_here(early.from);
    remake_flags(early.flag_step);
    exit(ExitKind::kInterpret, trace_->steps[early.step].offset, count() - early.step);
  }
}

void Writer::exit(ExitKind kind, u16 offset, unsigned give_back, u8* jump, bool host_flags) {
  a_->mov_immediate32(kAddressReg, u32(exits_.size()));
  a_->jump(thunks_.leave);
  exits_.push_back({kind, host_flags, offset, u16(give_back), jump, out_});
}

void Writer::load_guest(Reg to, unsigned number) {
  if (kHostOf[number] == kInMemory) a_->load(to, guest(number)); else a_->mov(to, kHostOf[number]);
}

void Writer::store_guest(unsigned number, Reg from) {
  if (kHostOf[number] == kInMemory) a_->store(guest(number), from); else a_->mov(kHostOf[number], from);
}

}  // namespace pollux::cpu::translate
