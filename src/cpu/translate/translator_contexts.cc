// What jump entries, links between pages and transfers rely on: what linear addresses mean, as a context, and the number
// that stands for one.
#include <algorithm>

#include "cpu/interpret/mode.h"
#include "cpu/translate/translator.h"

namespace pollux::cpu::translate {

namespace {

constexpr u64 kContextChanges = (u64{1} << 45) - 1;  // that contexts tell apart
constexpr unsigned kChangesShift = 13;

}  // namespace

// Of jumps to the half of the linear addresses that rip is in. What it leaves out is looked after below.
u64 Translator::context(bool upper, mmu::View view, u32 flat_bits) const {
  const mmu::Mmu& mmu = interpreter_.mmu();
  return mmu.fetch_space(upper) | (mmu.fetch_changes(upper) & kContextChanges) << kChangesShift |
         u64(view) << kViewShiftInContext | u64(upper) << kUpperShiftInContext |
         u64(flat_bits / interpret::kFlat) << kFlatShiftInContext;
}

void Translator::look_after_jumps() {
  const mmu::Mmu& mmu = interpreter_.mmu();
  const u64 rounds = mmu.fetch_changes(false) / (kContextChanges + 1) + mmu.fetch_changes(true) / (kContextChanges + 1);
  // The code's size is in the contexts: 32-bit programs and their kernel take turns often.
  const u64 epoch = (interpreter_.mode_bits() & ~u32{interpret::kCodeSizeMask}) | rounds << 8;
  constexpr u32 kLastEpoch = ~u32{0} - 1024;
  const bool renew = last_epoch_ > kLastEpoch;
  if (!spaces_.has_room()) forget_dead_spaces();
  if (epoch == jump_epoch_ && !renew && spaces_.has_room()) return;
  jump_epoch_ = epoch;
  transfers_version_ = ~u64{0};
  clear_jumps();
  spaces_.clear();
  if (renew) {
    cache_.cut_far_links();
    last_epoch_ = 0;
  }
  be_nowhere();
}

void Translator::forget_dead_spaces() {
  spaces_.keep([this](u64 context) { return is_live(context); });
  for (unsigned n = 0; n < kJumpEntries; ++n) {
    const u32 salt = salt_of_jump(n, frame_.jumps[n].linear);
    if (!spaces_.has(salt >> kSpaceShiftInSalt)) clear_jump(u16(n));
  }
  transfers_version_ = ~u64{0};
  if (!spaces_.has(frame_.salt >> kSpaceShiftInSalt)) be_nowhere();
}

// The running trace is left as soon as it calls the translator.
void Translator::be_nowhere() {
  frame_.salt = 0;
  frame_.epoch = epoch(frame_.salt);
}

bool Translator::is_live(u64 context) const {
  const u64 now = interpreter_.mmu().fetch_changes(context >> kUpperShiftInContext & 1) & kContextChanges;
  return context != ~u64{0} && (context >> kChangesShift & kContextChanges) == now;
}

u32 Translator::salt(u64 context) {
  const u64 view = (context & kViewInContext) >> kViewShiftInContext;
  return u32(spaces_.number(context & ~kViewInContext) << kSpaceShiftInSalt | view << kViewShiftInSalt);
}

bool Translator::is_of(u32 salt, u64 context) const {
  const u64 view = u64{salt >> kViewShiftInSalt} << kViewShiftInContext & kViewInContext;
  return (spaces_[salt >> kSpaceShiftInSalt].context | view) == context;
}

// A number that no other context has or had.
u32 Translator::epoch(u32 salt) {
  constexpr u32 kViews = kViewInContext >> kViewShiftInContext;  // below
  u32& number = spaces_[salt >> kSpaceShiftInSalt].epoch;
  if (number == 0) number = last_epoch_ += kViews + 1;
  return number | (salt >> kViewShiftInSalt & kViews);
}

void Translator::look_after_transfers() {
  const x86::State& s = interpreter_.s();
  const bool enabled = s.efer & x86::kEferSce;
  frame_.system_return.written = enabled;
  // It leads to the upper half, and to the supervisor's view without AC.
  frame_.system_call.written = enabled && s.lstar >> 63 && (s.sfmask & x86::kAc);
  const u64 version = interpreter_.mmu().fetch_version();
  if (version == transfers_version_) return;
  look_after_jumps();
  transfers_version_ = version;
  const auto set = [&](Transfer& transfer, bool upper, mmu::View view) {
    transfer.salt = salt(context(upper, view, 0));
    transfer.epoch = epoch(transfer.salt);
  };
  set(frame_.system_call, true, mmu::View::kSupervisor);
  set(frame_.system_return, false, mmu::View::kUser);
}

// A page of code that runs at a linear address, or will.
void Translator::note_place(u64 here, u64 physical, u64 linear) {
  const auto note = [&] {
    return places_.note(here & ~kViewInContext, physical >> memory::kPageShift, linear >> memory::kPageShift,
                        [this](u64 context) { return is_live(context); });
  };
  CodePlaces::Noted noted = note();
  if (noted == CodePlaces::Noted::kKnown) return;
  if (noted == CodePlaces::Noted::kFull) {
    places_.clear();
    clear_jumps();
    note();
  }
  // No link that was made so far is taken any more.
  spaces_.forget_epochs();
  transfers_version_ = ~u64{0};
  frame_.epoch = epoch(frame_.salt);
}

void Translator::remember_jump(u64 rip, u64 here, Translation& to) {
  note_place(here, to.physical(), rip);
  enter_jump(rip, here, JumpKind::kJump, to);
}

void Translator::enter_jump(u64 linear, u64 here, JumpKind kind, Translation& to) {
  const u16 index = u16(jump_index(linear, salt(here), kind));
  frame_.jumps[index] = {linear, to.memory_entry};
  jump_targets_[index] = &to;
  const std::span known = std::span(to.jumps).first(to.jump_count);
  if (std::ranges::find(known, index) != known.end()) return;
  if (to.jump_count < to.jumps.size()) {
    to.jumps[to.jump_count++] = index;
    return;
  }
  // Another one gives its place: one that leads here no more, or will not.
  auto other = std::ranges::find_if(known, [&](u16 n) { return jump_targets_[n] != &to; });
  if (other == known.end()) {
    other = known.begin() + index % known.size();
    clear_jump(*other);
  }
  *other = index;
}

void Translator::clear_jump(u16 index) {
  frame_.jumps[index] = {address_of_none(index), nullptr};
  jump_targets_[index] = nullptr;
}

void Translator::clear_jumps() {
  for (unsigned n = 0; n < kJumpEntries; ++n) clear_jump(u16(n));
}

void Translator::forget_jumps(std::span<Translation* const> to) {
  for (const Translation* t : to) {
    for (const u16 n : t->known_jumps()) {
      if (jump_targets_[n] == t) clear_jump(n);
    }
  }
}

void Translator::redirect_jumps(const Translation& from, Translation& to) {
  to.jumps = from.jumps;
  to.jump_count = from.jump_count;
  for (const u16 n : to.known_jumps()) {
    if (jump_targets_[n] != &from) continue;
    frame_.jumps[n].code = to.memory_entry;
    jump_targets_[n] = &to;
  }
}

}  // namespace pollux::cpu::translate
