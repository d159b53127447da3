#include "cpu/translate/writer.h"

#include <algorithm>

namespace pollux::cpu::translate {

void Writer::write(const Trace& trace, bool compact, std::optional<u16> heat, Translation& out) {
  compact_ = compact;
  heat_ = heat;
  short_ = heat.has_value();
  POLLUX_CHECK(compact_ || !short_, "traces that become hot are short at first");
  view_ = unsigned(interpreter_.view());
  code32_ = interpreter_.code_size() == decode::CodeSize::k32;
  flags_ = {};
  hold_nothing();
  budget_jump_ = hot_jump_ = nullptr;
  early_exits_.clear();
  edges_.clear();
  a_ = hot_ = &cache_.hot();
  cold_ = &cache_.cold();
  const u64 room_hot = hot_->room(), room_cold = cold_->room();
  POLLUX_CHECK(room_hot >= kRoom && room_cold >= kRoom, "a trace is only written where it fits");
  trace_ = &trace;
  out_ = &out;
  out.steps = u8(count());
  if (trace.steps.empty()) {
    a_ = cold_;
    const u8* const host_entry = a_->at();
    flags_.where = Where::kHost;
    save_flags();
    begin_at(host_entry);
    write_interpreted();
  } else {
    entry();
    for (; index_ < count(); ++index_) {
      write_step(index_);
      if (index_ == budget_step_ && budget_repeats_ && !compact_) note_rest();
    }
    write_end();
    a_ = cold_;
    write_stubs();
  }
  POLLUX_CHECK(hot_->room() <= room_hot && cold_->room() <= room_cold, "a trace fits its room");
  out.memory_entry += cache_.executable();
}

// Entered with the flags in the host's or in memory. Where the trace overwrites them before anything can look, nothing
// is saved, and the instructions are counted just before they are overwritten.
void Writer::entry() {
  index_ = 0;
  flags_.where = Where::kHost;
  a_->make_pads(pads_wanted());
  const u8* const host_entry = a_->at();
  budget_repeats_ = overwrites_entry_flags();
  if (budget_repeats_) {
    flags_.where = Where::kNowhere;
    begin_at(host_entry);
    for (; !overwrites_flags(step()); ++index_) write_step(index_);
  } else {
    save_flags();
    begin_at(host_entry);
    flags_.where = Where::kMemory;
    if (only_exits_need_entry_flags(out_->changed)) {
      a_->op({.code = 0xc7, .prefix66 = true}, 0, frame(offsetof(Frame, pending))), a_->immediate(Record::kNone, 2);
      out_->lazy_behind = u8(a_->at() - out_->memory_entry);
      flags_.where = Where::kPending;
    }
  }
  budget_step_ = index_;
  a_->arithmetic(5, frame(offsetof(Frame, budget)), i32(count()));
  budget_jump_ = a_->jump_away_if(kL);
  if constexpr (kCountsTwice) {
    a_->arithmetic(5, frame(offsetof(Frame, second_budget)), i32(count()));
    second_jump_ = a_->jump_if(kL);
  }
  if (!heat_) return;
  a_->op({.code = 0xff}, 1, frame(offsetof(Frame, heat) + *heat_ * sizeof(i32)));  // dec
  hot_jump_ = a_->jump_along_if(kS, budget_jump_);
}

// For the jumps where the instructions are counted, and for the early exits that follow, as many as are usually within
// reach.
unsigned Writer::pads_wanted() const {
  constexpr unsigned kMost = 5;
  if (compact_) return 1;
  const auto exits = [](const Step& s) { return s.action < Action::kBranch && may_exit(s); };
  return unsigned(std::min<i64>(kMost, 1 + std::ranges::count_if(trace_->steps, exits)));
}

// Where the flags are in memory.
void Writer::begin_at(const u8* host_entry) {
  out_->memory_entry = a_->at();
  const i64 before = out_->memory_entry - host_entry;
  POLLUX_CHECK(before <= 0xff, "saving the flags is short");
  out_->host_before = u8(before);
}

void Writer::write_step(unsigned index) {
  index_ = index;
  if (step().enters) enter_page();
  switch (step().action) {
    case Action::kInterpret: POLLUX_CHECK(false, "a trace holds what can be written"); break;
    case Action::kNothing: break;
    case Action::kSame: write_same(); break;
    case Action::kLea: write_lea(); break;
    case Action::kShift: write_shift(); break;
    case Action::kShiftByCl: write_shift_by_cl(); break;
    case Action::kDoubleShift: write_double_shift(); break;
    case Action::kScan: write_scan(); break;
    case Action::kExchange: write_exchange(); break;
    case Action::kDivide: write_divide(); break;
    case Action::kBitString: write_bit_string(); break;
    case Action::kSystemFlag: write_system_flag(); break;
    case Action::kSti: write_sti(); break;
    case Action::kSwapGs: write_swap_gs(); break;
    case Action::kReadState: write_read_state(); break;
    case Action::kWriteBase: write_write_base(); break;
    case Action::kReadCounter: write_read_counter(); break;
    case Action::kRepeat: write_repeat(); break;
    case Action::kLent: write_lent(kGoesOn); break;
    case Action::kLentLast: write_lent(0); break;
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
    case Action::kSystemCall: write_transfer(thunks_.system_call); break;
    case Action::kSystemReturn: write_transfer(thunks_.system_return); break;
    case Action::kChangeAc: write_change_ac(); break;
  }
  drop_held(lost_by(step()));
}

// The guest registers that a step changes without saying what is held then. All: it may jump over a part of itself.
u16 Writer::lost_by(const Step& step) {
  switch (step.action) {
    case Action::kSame:
    case Action::kShift:
    case Action::kBranch:
    case Action::kNothing:
    case Action::kFollowed: return 0;
    case Action::kLea:
    case Action::kPush:
    case Action::kPop: return step.d.gprs_written;
    default: return u16(~0u);
  }
}

void Writer::write_stubs() {
  const i32 entry_flags = out_->lazy_behind ? Exit::kPending : Exit::kNone;
  if (hot_jump_) a_->link_here(hot_jump_);
  a_->link_here(budget_jump_);
  if constexpr (kCountsTwice) a_->link_here(second_jump_);
  index_ = budget_step_;
  if (budget_repeats_) {
    // The flags are gone, but the next instruction makes new ones and needs nothing else.
    flags_.where = Where::kNowhere;
    if (!compact_ && rest_.where == Where::kRemade) keep_shifted();
    repeating_ = true;
    write_step(budget_step_);
    repeating_ = false;
    save_flags();
    const unsigned give_back = count() - budget_step_ - 1;
    const i32 begin = trace_->steps[0].offset;
    if (compact_) {
      call_and_say(thunks_.budget, {give_back, u32(step().end()), u32(begin), true});
    } else {
      exit({.kind = ExitKind::kBudget,
            .give_back = u8(give_back),
            .detail = u16(begin),
            .offset = step().end(),
            .to = kHasRest});
      go_to_rest();
    }
  } else if (compact_) {
    call_and_say(thunks_.budget, said_to_caller({step().offset, count()}, entry_flags));
  } else {
    exit({.kind = ExitKind::kBudget,
          .give_back = u8(count()),
          .detail = u16(step().offset),
          .offset = step().offset,
          .flags_from = entry_flags});
  }
  for (std::size_t n = 0; n < edges_.size(); ++n) edge(Edge(edges_[n]));
  for (const EarlyExit& e : early_exits_) {
    a_->link_here(e.from);
    u8* crosses = nullptr;
    u8* may_read = nullptr;
    if (e.kind == ExitKind::kAccess && (e.detail & kGroupAccess)) {
      // The tag agrees when the page does not.
      a_->arithmetic(7, kAddressReg, i32(memory::kPageSize));
      crosses = a_->jump_if(kB);
      if (e.read_for_write) may_read = pieces().jump_if_readable(view_);
    }
    const Exit out{.kind = e.kind,
                   .give_back = e.give_back,
                   .detail = e.detail,
                   .offset = trace_->steps[e.step].offset,
                   .flags_from = e.flags_from};
    exit(out, e.back);
    if (!crosses) continue;
    a_->link_here(crosses);
    if (may_read) a_->link_here(may_read);
    const bool made = make_again(e.remade);
    exit({.kind = ExitKind::kCrosses,
          .give_back = out.give_back,
          .detail = made ? u16{0} : e.used,
          .offset = out.offset,
          .flags_from = made ? Exit::kNone : out.flags_from},
         nullptr, out.is_elsewhere() ? thunks_.crosses_elsewhere : thunks_.crosses);
  }
}

void Writer::note_rest() {
  POLLUX_CHECK(held_group_.number == kInMemory, "nothing is looked up before the instructions are counted");
  rest_ = {a_->at(), flags_.where, {kInMemory, kInMemory}};
  for (unsigned n = 0; n < held_.size(); ++n) {
    if (still_holds(held_[n], held_[n].number)) rest_.held[n] = held_[n].number;
  }
}

// The flags are in memory.
void Writer::go_to_rest() {
  flags_.where = Where::kMemory;
  if (rest_.where == Where::kHost) restore_flags();
  for (unsigned n = 0; n < held_.size(); ++n) {
    if (rest_.held[n] != kInMemory) a_->load(held_[n].scratch, guest(rest_.held[n]));
  }
  a_->jump(rest_.at);
}

void Writer::exit(Exit e, const u8* to, const u8* thunk) {
  a_->call(thunk);
  if (to) e.to = i32(to - a_->at());
  write_exit(*a_, e);
}

void Writer::call_and_say(const u8* thunk, CallerWord word) {
  a_->call(thunk);
  say(word);
}

CallerWord Writer::caller_word(bool group) const { return said_to_caller(before_step(), flags_from(), group); }

CallerWord Writer::said_to_caller(Boundary at, i32 flags_from, bool group) {
  POLLUX_CHECK(at.offset >= 0 && at.offset <= i32(memory::kPageSize), "a short trace does not leave its page");
  return {.give_back = at.give_back,
          .offset = u32(at.offset),
          .flags_from = narrow_flags(flags_from, CallerWord::kNone),
          .group = group};
}

Reg Writer::holder(unsigned number) const {
  for (const Held& h : held_) {
    if (still_holds(h, number)) return h.scratch;
  }
  return kInMemory;
}

bool Writer::is_in_use(Reg scratch) const {
  const auto holds = [&](const Held& h) {
    return h.scratch == scratch && h.number != kInMemory && still_holds(h, h.number);
  };
  return std::ranges::any_of(held_, holds) || holds(held_group_);
}

void Writer::holds(Reg scratch, unsigned number) {
  drop_held(u16(1u << number));
  for (Held& h : held_) {
    if (h.scratch == scratch) h = held_by(scratch, number);
  }
}

void Writer::hold_nothing() {
  drop_held(u16(~0u));
  held_group_.number = kInMemory;
}

void Writer::load_group(const Access& access) {
  if (still_holds(held_group_, access.group)) return;
  a_->load(kAddressReg, group_cell(access));
  held_group_ = held_by(kAddressReg, access.group);
}

void Writer::keep_group(const Access& access) {
  a_->store(group_cell(access), kAddressReg);
  held_group_ = held_by(kAddressReg, access.group);
}

void Writer::drop_held(u16 numbers) {
  for (Held& h : held_) {
    if (h.number != kInMemory && numbers >> h.number & 1) h.number = kInMemory;
  }
}

void Writer::load_guest(Reg to, unsigned number) {
  if (kHostOf[number] == kInMemory)
    a_->load(to, guest(number));
  else
    a_->mov(to, kHostOf[number]);
}

void Writer::store_guest(unsigned number, Reg from) {
  if (kHostOf[number] == kInMemory)
    a_->store(guest(number), from);
  else
    a_->mov(kHostOf[number], from);
}

}  // namespace pollux::cpu::translate
