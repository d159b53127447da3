// Branches. A target in the same page is linked: code of a page lives and dies together. Any other is found in the
// frame's jump entries; when it is not there, the interpreter executes the branch, so that nothing has happened yet
// when the target turns out not to exist.
#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

namespace {
// A member of the jump entry that kScratch points to.
Address found_jump(u64 member) { return {kFrameReg, i32(offsetof(Frame, jumps) + member), kScratch}; }

bool in_page(i64 target) { return target >= 0 && target < i64(memory::kPageSize); }
}  // namespace

void Writer::write_branch() {
  const Step& s = step();
  // Where the trace goes round a loop, the way out is the side exit.
  const unsigned wanted = (s.d.opcode & 15) ^ (s.loops ? 1 : 0);
  const Condition c = host_condition(Condition(wanted));
  edges_.push_back({a_->jump_if(c), index_, s.loops ? i64(s.end()) : branch_target(s), where_, repair_});
}

// Out of line: the way of a taken branch.
void Writer::edge(const Edge& e) {
  where_ = e.where;
  repair_ = e.repair;
  index_ = e.step;
  const unsigned rest = count() - e.step - 1;
  const bool plain = in_page(e.target) && rest == 0 && repair_ == Repair::kNone && where_ != Where::kNowhere;
  if (plain) {  // the branch itself can be linked
    a_->link_here(e.from);
    const bool host_flags = where_ == Where::kHost;
    save_flags();
    exit({.kind = ExitKind::kLink, .offset = u16(e.target), .detail = host_flags ? kHostFlags : u16{0}}, e.from);
    return;
  }
  a_->link_here(e.from);
  go_to(e.target, e.step);
}

void Writer::go_to(i64 target, unsigned from) {
  const unsigned rest = count() - from - 1;
  if (repair_ != Repair::kNone || !in_page(target)) save_flags();
  if (!in_page(target)) {
    load_target(target);
    find_jump_or_exit();
    if (rest) a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(rest));
    take_jump();
    return;
  }
  if (rest) {
    a_->load(kAddressReg, frame(offsetof(Frame, budget)));
    a_->lea(kAddressReg, {kAddressReg, i32(rest)});
    a_->store(frame(offsetof(Frame, budget)), kAddressReg);
  }
  u8* const jump = a_->jump();
  Assembler* const here = std::exchange(a_, cold_);
  a_->link_here(jump);
  const bool host_flags = where_ == Where::kHost;
  save_flags();
  exit({.kind = ExitKind::kLink, .offset = u16(target), .detail = host_flags ? kHostFlags : u16{0}}, jump);
  a_ = here;
}

void Writer::load_target(i64 offset) {
  a_->load(kAddressReg, frame(offsetof(Frame, page)));
  a_->lea(kAddressReg, {kAddressReg, i32(offset)});
}

std::array<u8*, 2> Writer::find_jump() {
  static_assert(sizeof(JumpEntry) == 32);
  a_->mov32(kScratch, kAddressReg);
  a_->shift(5, kScratch, 15, false);
  a_->op({.code = 0x33}, kScratch, kAddressReg);
  a_->arithmetic(4, kScratch, kJumpEntries - 1, false);
  a_->shift(4, kScratch, 5, false);
  a_->op({.code = 0x3b, .wide = true}, kAddressReg, found_jump(offsetof(JumpEntry, linear)));
  u8* const other_address = a_->jump_if(kNz);
  a_->load(kAddressReg, frame(offsetof(Frame, context)));
  a_->op({.code = 0x3b, .wide = true}, kAddressReg, found_jump(offsetof(JumpEntry, context)));
  return {other_address, a_->jump_if(kNz)};
}

void Writer::find_jump_or_exit(u16 detail) {
  const std::array<u8*, 2> misses = find_jump();
  early_exit(misses[0], ExitKind::kMissed, detail, a_->at());
  early_exit(misses[1], ExitKind::kMissed, detail | kOtherContext, a_->at());
}

void Writer::load_jump_page() {
  a_->load(kAddressReg, found_jump(offsetof(JumpEntry, linear)));
  a_->arithmetic(4, kAddressReg, -i32(memory::kPageSize));
}

void Writer::take_jump() {
  load_jump_page();
  a_->store(frame(offsetof(Frame, page)), kAddressReg);
  a_->jump(found_jump(offsetof(JumpEntry, code)));
}

// A call looks up its stack between finding the jump and taking it.
void Writer::keep_jump() {
  load_jump_page();
  a_->store(frame(offsetof(Frame, target)), kAddressReg);
  a_->load(kAddressReg, found_jump(offsetof(JumpEntry, code)));
  a_->store(frame(offsetof(Frame, code)), kAddressReg);
}

void Writer::take_kept_jump() {
  a_->load(kAddressReg, frame(offsetof(Frame, target)));
  a_->store(frame(offsetof(Frame, page)), kAddressReg);
  a_->jump(frame(offsetof(Frame, code)));
}

void Writer::write_jump() { go_to(branch_target(step()), index_); }

void Writer::write_call() {
  const i64 target = branch_target(step());
  save_flags();
  if (!in_page(target)) {
    load_target(target);
    find_jump_or_exit(kBeforePush);
    keep_jump();
  }
  push_return();
  if (in_page(target)) go_to(target, index_); else take_kept_jump();
}

void Writer::write_return() {
  const decode::Decoded& d = step().d;
  const Address top = stack_address(kGuestRsp, 0, false);
  save_flags();
  a_->load(kAddressReg, top);
  find_jump_or_exit();
  a_->lea(kGuestRsp, {kGuestRsp, i32(8 + (d.operand_count ? u16(d.immediate) : 0))});
  take_jump();
}

void Writer::load_operand_target() {
  const decode::Decoded& d = step().d;
  if (d.has_memory) {
    operand_address();
    save_flags();
    a_->load(kAddressReg, operand_);
  } else {
    save_flags();
    load_guest(kAddressReg, d.operands[0].number);
  }
}

void Writer::write_jump_indirect() {
  load_operand_target();
  find_jump_or_exit();
  take_jump();
}

void Writer::write_call_indirect() {
  load_operand_target();
  find_jump_or_exit(kBeforePush);
  keep_jump();
  push_return();
  take_kept_jump();
}

void Writer::write_end() {
  const Step& last = trace_->steps.back();
  index_ = count() - 1;
  if (last.action > Action::kBranch) return;
  if (trace_->interpret) {
    save_flags();
    exit({.kind = ExitKind::kInterpret, .offset = trace_->end});
  } else if (in_page(trace_->end)) {
    go_to(trace_->end, index_);
  } else {
    // What cannot be found is looked for behind the trace: its last instruction has retired.
    save_flags();
    load_target(trace_->end);
    const std::array<u8*, 2> misses = find_jump();
    const u8* const back = a_->at();
    take_jump();
    a_ = cold_;
    for (const u16 detail : {u16(0), kOtherContext}) {
      a_->link_here(misses[detail]);
      exit({.kind = ExitKind::kMissed, .offset = trace_->end, .detail = detail}, back);
    }
  }
}

}  // namespace pollux::cpu::translate
