// Links to other pages. What a linear address means there may change, so a link holds the epoch in which it was made;
// in another one the code goes on through the jump entries, and the link is made new now and then.
#include <algorithm>

#include "cpu/translate/writer.h"

namespace pollux::cpu::translate {

Writer::Far Writer::begin_far() {
  static_assert(in_frame(offsetof(Frame, epoch)).displacement < 128, "the epoch is where kEpochInLink says");
  hold_nothing();  // the translator may come back here
  u8* const place = a_->at();
  a_->op({.code = 0x81}, 7, frame(offsetof(Frame, epoch))), a_->immediate(0, 4);
  return {place, a_->jump_away_if(kNz), nullptr};
}

// The link's way.
void Writer::take_far(Far& far, i64 target, unsigned rest) {
  const i64 by = target - (target & i64(memory::kPageMask));
  if (by) a_->arithmetic(0, frame(offsetof(Frame, page)), i32(by), !code32_);
  if (rest) a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(rest));
  far.jump = a_->jump();
}

// The other way: finds the jump entry.
void Writer::miss_far(const Far& far, i64 target, Boundary from, std::optional<u32> page) {
  a_->link_here(far.miss);
  if (!page) a_->link_here(far.jump);
  load_target(target);
  a_->call(thunks_.find_far);
  const i64 place = far.place - a_->at();
  say(from.offset);
  say(i32(place));
  say(u32((page ? 0 : far.jump - far.place) | i64{from.give_back} << 16));
  if (page) say(*page);
}

// rest: instructions behind this one that are counted and will not be executed.
void Writer::go_far(i64 target, Boundary from, unsigned rest) {
  Assembler* const here = a_;
  if (short_ && !links_far() && !code32_) {
    call_and_say(rest ? thunks_.branch_far : thunks_.jump_far, said_to_caller(from, Exit::kNone));
    return say(i32(target));
  }
  if (links_far()) {
    Far far = begin_far();
    take_far(far, target, rest);
    a_ = cold_;
    miss_far(far, target, from);
  } else {
    load_target(target);
    call_and_say(thunks_.find_jump, said_to_caller(from, Exit::kNone));
  }
  if (rest) a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(rest));
  a_->jump(thunks_.take_jump);
  a_ = here;
}

void Writer::enter_page() {
  POLLUX_CHECK(budget_jump_, "a trace is left before it has counted its instructions only where nothing was executed");
  save_flags();
  const Far far = begin_far();
  clobbered();
  const auto is_of_step = [&](const Trace::Page& page) { return page.distance == page_of(step().offset); };
  const auto page = std::ranges::find_if(trace_->pages, is_of_step);
  POLLUX_CHECK(page != trace_->pages.end(), "a trace names the pages that it enters");
  aside([&] {
    miss_far(far, step().offset, before_step(), page->number);
    a_->arithmetic(0, frame(offsetof(Frame, budget)), i32(not_executed()));
    a_->jump(thunks_.take_jump);
  });
}

void Writer::load_target(i64 offset, Reg to) {
  a_->load(to, frame(offsetof(Frame, page)));
  lea_word(to, {to, i32(offset)});
}

u8* Writer::jump_unless_at(i64 offset) {
  load_target(offset, kScratch);
  a_->op({.code = 0x3b, .wide = !code32_}, kAddressReg, kScratch);  // cmp
  clobbered();
  return a_->jump_if(kNz);
}

}  // namespace pollux::cpu::translate
