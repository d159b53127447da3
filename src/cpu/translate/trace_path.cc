#include "cpu/translate/trace_path.h"

#include <algorithm>

namespace pollux::cpu::translate {

namespace {

constexpr std::size_t kLongestCall = 30;  // steps

// Whether a block that begins there may reach as far as the branch.
bool may_hold(i32 block, const Step& branch) {
  constexpr i64 kLongestBlock = 512;  // bytes
  return block <= branch.offset && i64{branch.offset} - block < kLongestBlock &&
         page_of(block) == page_of(branch.offset);
}

// How often it must have been seen where it leads, always to the same place, for that to be a guess; 0: it is none.
unsigned sightings_wanted(const Step& jump) {
  const bool through_cell = jump.d.base == decode::kRipRegister;
  switch (jump.action) {
    case Action::kJumpIndirect: return through_cell ? 1 : 0;
    case Action::kCallIndirect: return through_cell ? 1 : kLooks;
    case Action::kReturn: return kLooks;
    default: return 0;
  }
}

}  // namespace

ByteSpan TracePath::page(i64 offset) {
  const i64 distance = page_of(offset);
  if (distance < -kFarthestPage || distance > kFarthestPage) return {};
  if (read_ != distance) {
    read_ = i32(distance);
    page_ = page_at_(*read_).bytes;
  }
  return page_;
}

bool TracePath::goes_on() {
  if (!calls_.empty() && trace_.steps.size() >= calls_.front().steps + kLongestCall) return false;
  Step& step = trace_.steps.back();
  switch (step.action) {
    case Action::kJump: return follow_jump(step, branch_target(step));
    case Action::kCall: return follow_call(step, branch_target(step));
    case Action::kReturn: return follow_return(step);
    case Action::kBranch: return follow_branch(step, branch_target(step));
    case Action::kJumpIndirect:
    case Action::kCallIndirect: return follow_guess(step);
    default: return step.action < Action::kBranch;
  }
}

void TracePath::take_back_calls() {
  if (calls_.empty()) return;
  trace_.steps.resize(calls_.front().steps);
  trace_.steps.back().taken = false;
  trace_.end = calls_.front().behind;
  trace_.interpret = trace_.crosses = false;
}

void TracePath::follow(Step& step, i64 target) {
  step.taken = true;
  trace_.end = i32(target);
}

bool TracePath::follow_jump(Step& step, i64 target) {
  if (page(target).empty()) return false;
  step.action = Action::kFollowed;
  trace_.end = i32(target);
  return true;
}

bool TracePath::follow_call(Step& step, i64 target) {
  const bool may = reach_.unseen_calls || std::ranges::find(seen_, i32(target)) != seen_.end();
  if (!may || page(step.end()).empty() || page(target).empty()) return false;
  calls_.push_back({trace_.steps.size(), step.end()});
  follow(step, target);
  return true;
}

bool TracePath::follow_return(Step& step) {
  if (calls_.empty()) return false;
  follow(step, calls_.back().behind);
  calls_.pop_back();
  return true;
}

bool TracePath::follow_guess(Step& jump) {
  const i32 target = guess(jump);
  if (target == kElsewhere || page(target).empty()) return false;
  if (jump.action == Action::kCallIndirect) {
    if (page(jump.end()).empty()) return false;
    calls_.push_back({trace_.steps.size(), jump.end()});
  }
  follow(jump, target);
  return true;
}

bool TracePath::follow_branch(Step& step, i64 target) {
  const Way way = seen_way(step);
  if (way == Way::kOn) return true;
  const bool to_start = target == i64(start_) && calls_.empty();
  if (way == Way::kTaken && !page(target).empty() && !to_start) {
    // The head of a loop that does not fit begins a trace of its own: otherwise traces would begin everywhere in the
    // loop.
    constexpr i64 kUsualLength = 4;  // of an instruction, bytes
    const i64 loop = (i64(step.offset) - target) / kUsualLength;
    if (loop > 0 && page_of(target) == page_of(step.offset) && i64(trace_.steps.size()) + loop > i64(reach_.steps))
      return false;
    const auto called = std::span(trace_.steps).subspan(calls_.empty() ? 0 : calls_.back().steps);
    if (std::ranges::any_of(called, [&](const Step& s) { return s.offset == target; })) return false;
    follow(step, target);
    return true;
  }
  if (target > i64(step.offset)) return true;
  // Round the loop again while a whole turn fits.
  const std::size_t length = trace_.steps.size();
  const std::size_t turns = trace_.turns + 1;
  if (!to_start || turns >= reach_.turns || length + length / turns > reach_.steps) return false;
  trace_.turns = unsigned(turns);
  follow(step, start_);
  return true;
}

i32 TracePath::guess() const {
  if (trace_.steps.empty() || trace_.steps.back().taken) return kElsewhere;
  return guess(trace_.steps.back());
}

i32 TracePath::guess(const Step& jump) const {
  const unsigned wanted = sightings_wanted(jump);
  if (wanted == 0) return kElsewhere;
  i32 guess = kElsewhere, block = kElsewhere;
  unsigned sightings = 0;
  for (std::size_t n = 0; n + 1 < seen_.size(); ++n) {
    if (!may_hold(seen_[n], jump) || seen_[n] < block) continue;
    if (seen_[n] > block) block = seen_[n], guess = seen_[n + 1], sightings = 0;
    if (seen_[n + 1] != guess) guess = kElsewhere;
    ++sightings;
  }
  return sightings >= wanted ? guess : kElsewhere;
}

TracePath::Way TracePath::seen_way(const Step& branch) const {
  unsigned on = 0, taken = 0;
  for (std::size_t n = 0; n + 1 < seen_.size(); ++n) {
    if (!may_hold(seen_[n], branch)) continue;
    on += seen_[n + 1] == i32(branch.end());
    taken += i64(seen_[n + 1]) == branch_target(branch);
  }
  if (on == 0 && taken == 0) return Way::kUnknown;
  return taken > on ? Way::kTaken : Way::kOn;
}

}  // namespace pollux::cpu::translate
