// What the translator does where translated code calls it.
#include <algorithm>

#include "cpu/translate/sequences.h"
#include "cpu/translate/translator.h"

namespace pollux::cpu::translate {

namespace {

// The record is a thunk's, and the code that called the thunk says the rest.
bool is_said(const u8* record) { return record[offsetof(Record, give_back)] == kSaidByCaller; }

// Of a link to another page.
FarWords far_words(const u8* caller) {
  const auto word = [&](unsigned n) {
    u32 said;
    std::memcpy(&said, caller + n * (kWordOpcode + sizeof said) + kWordOpcode, sizeof said);
    return said;
  };
  FarWords words{.offset = i32(word(0)), .place = i32(word(1)), .jump = u16(word(2)), .give_back = u16(word(2) >> 16)};
  if (words.jump == 0) words.page = word(3);
  return words;
}

Exit said_by(const u8* caller, Exit exit) {
  if ((exit.kind == ExitKind::kFar || exit.kind == ExitKind::kMissed) && (exit.detail & kFromLink)) {
    const FarWords words = far_words(caller);
    exit.give_back = u8(words.give_back);
    exit.offset = words.offset;
    return exit;
  }
  CallerWord word;
  std::memcpy(&word, caller + kWordOpcode, sizeof word);
  exit.give_back = word.give_back;
  exit.offset = i32(word.offset);
  if (exit.kind == ExitKind::kBudget) {
    exit.detail = u16(word.group ? word.flags_from : word.offset);
    if (word.group) return exit;
  }
  exit.flags_from = widen_flags(word.flags_from, CallerWord::kNone);
  if (word.group) exit.detail |= kGroupAccess;
  return exit;
}

constexpr unsigned kCall = 5;  // before a record, bytes
constexpr unsigned kLinked = kCall + sizeof(Record);
static_assert(Trace::kMaxSteps <= 127, "what a link gives back is a short immediate");

// Over a call and its record. pending: where flags come from that stay pending; kNone: no flag of the host's changes.
// Returns the jump's displacement.
const u8* write_link(u8* at, u8 give_back, const u8* entry, u16 pending = Record::kNone) {
  Assembler a(at, at + kLinked);
  const Address budget = in_frame(offsetof(Frame, budget));
  if (pending != Record::kNone) {
    a.op({.code = 0xc7, .prefix66 = true}, 0, in_frame(offsetof(Frame, pending)));
    a.immediate(pending, 2);
    if (give_back) a.arithmetic(0, budget, give_back);
  } else if (give_back) {
    a.load(kAddressReg, budget);
    a.lea(kAddressReg, {kAddressReg, give_back});
    a.store(budget, kAddressReg);
  }
  a.jump(entry);
  POLLUX_CHECK(a.at() <= at + kLinked, "a link is no longer than what it replaces");
  return a.at() - 4;
}

}  // namespace

const u8* Translator::serve(Frame* frame, const u8* record) {
  Translator& self = *frame->owner;
  Exit kept = read_exit(record);  // serving it may fill this part of the code region again
  if (kept.give_back == kSaidByCaller) kept = said_by(frame->caller, kept);
  self.interpreter_.look_at_view();
  if (++self.exits_ >= kExitsToLook && self.early_) self.end_with_trace();
  const u8* const next = self.serve(kept, record);
  if (self.interpreter_.mmu().fetch_version() != self.transfers_version_) self.look_after_transfers();
  return next;
}

const u8* Translator::serve(const Exit& kept, const u8* record) {
  switch (kept.kind) {
    case ExitKind::kAccess: return access(kept, record);
    case ExitKind::kCrosses: return crosses(kept, record);
    case ExitKind::kMissed: return missed(kept, record);
    case ExitKind::kFar: return far(kept);
    case ExitKind::kLent: return lent(kept, record);
    case ExitKind::kLink: return link(kept, record);
    case ExitKind::kArrived: return arrived();
    case ExitKind::kBudget: return budget(kept, record);
    case ExitKind::kInterpret: break;
  }
  settle(kept);
  return interpret_one();
}

// The run ends nearby, or a look is due.
const u8* Translator::budget(const Exit& exit, const u8* record) {
  using interpret::Advance;
  const bool is_hot = frame_.budget >= 0;
  settle(exit);
  if (is_hot) return hot(frame_.page + exit.detail);
  if (stepping_) return end_step();
  exits_ = kExitsToLook;
  const bool is_asked = early_.is_asked_at(position().value);
  if (early_ && !is_asked) set_horizon();
  const bool is_far = position().value + kMargin + exit.give_back <= horizon_;
  const bool has_rest = exit.to == kHasRest && in_page(exit.offset);
  if (has_rest && (is_far || is_asked)) {
    const u64 rip = interpreter_.s().rip;
    rest_ = {record + exit.bytes(), exit.give_back, rip, context(rip), mode(), drops_};
    return next_code();
  }
  if (is_far) return next_code();
  // No translation begins in the middle of a trace, and none should: what is left of the block is interpreted.
  const bool to_the_end = until_ - position().value <= kMargin;
  reason_ = interpreter_.advance(to_the_end ? until_ : next_look(), to_the_end ? Advance::kAll : Advance::kOneBlock);
  return to_the_end || reason_ != StopReason::kPosition ? nullptr : next_code();
}

const u8* Translator::rest() {
  const Rest rest = std::exchange(rest_, {});
  const u64 rip = interpreter_.s().rip;
  if (!rest.code || rest.rip != rip || rest.drops != drops_) return nullptr;
  if (rest.context != context(rip) || rest.mode != mode() || position().value + kMargin + rest.steps > horizon_)
    return nullptr;
  begin_at(rip);
  give_budget(rest.steps);
  return rest.code;
}

const u8* Translator::arrived() {
  frame_.page = frame_.address & ~memory::kPageMask;
  settle({.offset = i32(frame_.address & memory::kPageMask)});
  return next_code();
}

void Translator::settle(const Exit& exit) {
  const u64 executed = frame_.end - u64(frame_.budget) - exit.give_back - position().value;
  counters_.translated_instructions += executed;
  interpreter_.retired(executed);
  interpreter_.s().rip = frame_.page + u64(i64{exit.offset});
  const i32 from = exit.flags_from == Exit::kPending ? widen_flags(frame_.pending, Record::kNone) : exit.flags_from;
  if (from == Exit::kNone) return;
  const u64 linear = frame_.page + u64(i64{from});
  const auto code = fetch(linear);
  POLLUX_CHECK(code, "the page of running code is there");
  decode::Decoded made;
  const interpret::Binding* row;
  const u64 rest = memory::kPageSize - (linear & memory::kPageMask);
  interpreter_.reader().read(interpreter_.code_size(), {code->host, std::min<u64>(rest, 15)}, made, row);
  interpreter_.flags_again(made, *row, frame_.shifted);
}

const u8* Translator::interpret_one() {
  if (stepping_) return end_step();
  ++counters_.interpreted_steps;
  reason_ = interpreter_.advance(next_look(), interpret::Advance::kOneInstruction);
  return reason_ == StopReason::kPosition ? next_code() : nullptr;
}

// Code looked at the entry that kScratch names, and has the address less its tag.
const u8* Translator::access(const Exit& exit, const u8* record) {
  const mmu::Tlb& tlb = interpreter_.mmu().tlb(mmu::View(view_of_access(exit.detail)));
  frame_.address ^= tlb.tags[(exit.detail & kWriteAccess) != 0][frame_.scratch];
  const Filled filled = fill_table(frame_.address, exit.detail);
  switch (filled.how) {
    case Filled::How::kHit: return record + exit.to;
    case Filled::How::kGranted:
      frame_.scratch = u64(filled.host) - frame_.address;
      if (!(exit.detail & kApartAccess)) frame_.address = u64(filled.host);
      if (is_said(record)) return frame_.caller;
      return record + exit.to +
             Sequences::look_up_bytes(layout_, view_of_access(exit.detail), exit.detail & kWriteAccess) -
             (exit.detail & kPaddedAccess ? Assembler::kSavedByPad : 0);
    case Filled::How::kInterpret: settle(exit); return interpret_one();
    case Filled::How::kSeparate: break;
  }
  settle(exit);
  const Translation* separate = find_separate(interpreter_.s().rip, is_said(record));
  return separate ? begin(*separate) : interpret_one();
}

const u8* Translator::crosses(const Exit& exit, const u8* record) {
  settle(exit);
  const Translation* separate = find_separate(interpreter_.s().rip, false);
  if (!separate) return interpret_one();
  const u8* entry = separate->lazy_entry();
  u16 pending = Record::kNone;
  switch (exit.flags_from) {
    case Exit::kNone: entry = separate->memory_entry; break;
    case Exit::kPending: break;  // they stay so: up to where they are overwritten, both have the same instructions
    default:
      pending = u16(exit.flags_from);
      if (!exit.detail || (exit.detail & separate->changed)) entry = nullptr;
  }
  if (entry && in_page(exit.offset) && trace_holds()) {
    u8* const place = writable(record) - kCall;
    cache_.will_change({place, kLinked}, *separate);
    write_link(place, exit.give_back, entry - cache_.executable(), pending);
  }
  return begin(*separate);
}

Filled Translator::fill_table(u64 linear, u16 access) {
  using How = Filled::How;
  const u64 size = access & kSizeMask;
  if ((linear & memory::kPageMask) + size > memory::kPageSize) {
    return {access & kGroupAccess ? How::kSeparate : How::kInterpret};
  }
  if ((access & kAlignedAccess) && (linear & (size - 1))) return {How::kInterpret};
  if (!x86::is_canonical(linear)) return {How::kInterpret};
  const mmu::View view = mmu::View(view_of_access(access));
  const mmu::Access kind = access & kWriteAccess ? mmu::Access::kWrite : mmu::Access::kRead;
  mmu::Translation t;
  mmu::Mmu& mmu = interpreter_.mmu();
  const u64 revoked = mmu.revocations();
  if (!mmu.translate_unchanged(linear, kind, view, t) || !t.host) return {How::kInterpret};
  // The running trace may hold an address that it may no longer write to.
  if (revoked != mmu.revocations()) return {How::kInterpret};
  if (mmu.probe(linear, kind, view)) return {How::kHit};
  if ((access & kGroupAccess) || !grant_entry_write(t, size)) return {How::kInterpret};
  return {How::kGranted, t.host};
}

// An instruction's last look-up is that of what it writes, so that nothing is looked up between this and the write.
// What the trace holds must stay true.
bool Translator::grant_entry_write(const mmu::Translation& to, u64 size) {
  const std::byte* unmapped;
  if (!interpreter_.mmu().note_entry_write(to.physical, size, unmapped) || !trace_holds()) return false;
  const auto is_in = [&](u64 held) { return (held & ~memory::kPageMask) == u64(unmapped); };
  return !unmapped || std::ranges::none_of(frame_.groups, is_in);
}

const u8* Translator::missed(const Exit& exit, const u8* record) {
  if (find_target(frame_.address)) return record + exit.to;
  settle(exit);
  return interpret_one();
}

Translation* Translator::find_target(u64 linear) {
  const mmu::Mmu& mmu = interpreter_.mmu();
  const u64 revoked = mmu.revocations();
  const bool near = x86::is_canonical(linear) && linear >> 63 == frame_.page >> 63;  // the context is that of this half
  // Looking must set no accessed bit: a call's push comes first, and a return or a jump through memory that is then for
  // the interpreter would read again what the bit is in.
  const auto unchanged = [&](u64 at) { return mmu.finds_unchanged(at, mmu::Access::kFetch, fetch_view()); };
  const u64 last = linear + 14;  // of the longest instruction
  const bool one_page = (linear ^ last) >> memory::kPageShift == 0;
  const bool may_look = near && unchanged(linear) && (one_page || unchanged(last));
  Translation* const found = may_look ? find(linear) : nullptr;
  // A call may hold the address of a stack that it may no longer write to.
  return found && revoked == mmu.revocations() && trace_holds() ? found : nullptr;
}

const u8* Translator::far(const Exit& exit) {
  frame_.relinks = patience_.relinks;
  const Translation* const to = find_target(frame_.address);
  if (!to) {
    settle(exit);
    return interpret_one();
  }
  const FarWords words = far_words(frame_.caller);
  const u8* const place = frame_.caller + words.place;
  const auto here = fetch(frame_.page);
  POLLUX_CHECK(here, "the page of running code is there");
  note_place(context(frame_.page), here->physical.value, frame_.page);
  if (places_.has_several(here->physical.value >> memory::kPageShift)) return place;
  u8* const caller = writable(frame_.caller);
  const u64 to_page = to->page;
  if (words.jump != 0)
    cache_.link_far(caller + words.place, caller + words.place + words.jump, to_page, to->memory_entry, frame_.epoch);
  else if (to_page == words.page)
    cache_.link_entry(caller + words.place, to_page, frame_.epoch);
  return place;
}

const u8* Translator::lent(const Exit& exit, const u8* record) {
  settle(exit);
  ++counters_.lent_instructions;
  const interpret::Instruction& lent = cache_.lent(u32(exit.to));
  const u64 behind = interpreter_.s().rip + lent.length;
  reason_ = interpreter_.execute(lent, next_look());
  if (reason_ != StopReason::kPosition) return nullptr;
  const bool goes_on =
      exit.detail == kGoesOn && interpreter_.s().rip == behind && !interpreter_.wants_turn() && trace_holds();
  const u64 counted = exit.give_back - 1u;
  // Repetitions may have come as far as the end of the run.
  const bool far_enough = position().value + kMargin + counted <= horizon_;
  if (!goes_on || !far_enough || exits_ >= kExitsToLook) return next_code();
  give_budget(counted);
  return record + exit.bytes();
}

const u8* Translator::link(const Exit& exit, const u8* record) {
  Exit here = exit;  // the flags are in memory by now
  here.flags_from = Exit::kNone;
  settle(here);
  Translation* const next = find_or_make(interpreter_.s().rip);
  if (!next || (!next->steps && !next->crosses)) return next_code();
  if (trace_holds()) {
    u8* const place = writable(record);
    const bool follow = exit.flags_from != Exit::kNone;  // from the registers in detail
    const bool lazy = follow && next->lazy_entry() && !(exit.detail & next->changed);
    const u8* const entry = lazy                                  ? next->lazy_entry()
                            : follow || exit.detail == kHostFlags ? next->host_entry()
                                                                  : next->memory_entry;
    const u8* jump = place + exit.to;
    if (exit.to && !lazy) {
      cache_.will_change({jump, sizeof(i32)}, *next);
      Assembler::link(place + exit.to, entry - cache_.executable());
    } else {
      cache_.will_change({place - kCall, kLinked}, *next);
      const u16 pending = lazy ? u16(exit.flags_from) : Record::kNone;
      jump = write_link(place - kCall, exit.give_back, entry - cache_.executable(), pending);
    }
    if (next->counts) cache_.note_link(*next, jump);
  }
  return begin(*next);
}

// The trace that begins at linear.
const u8* Translator::hot(u64 linear) {
  make_room();  // which may drop it
  const auto code = fetch(linear);
  Translation* const old = code ? cache_.find(code->physical.value, mode()) : nullptr;
  if (!old || !old->counts) return next_code();
  if (Looks& looks = looks_[old]; looks.count < patience_.looks && !stepping_) {
    ++looks.count;
    frame_.heat[old->heat] = patience_.entered / 16;  // it comes again
    return look_ahead(linear, looks.seen) ? next_code() : nullptr;
  }
  const std::vector<i32> seen = std::move(looks_.extract(old).mapped().seen);
  Translation& made = translate_hot(*code, linear, seen);
  leap_to_longer(*old, made);
  remember_jump(linear, context(linear), made);
  return next_code();
}

// What is linked to the old one goes on in the new one.
void Translator::leap_to_longer(Translation& old, Translation& made) {
  const auto leap = [&](const u8* from, const u8* to) {
    cache_.move_links(old, from, to);
    u8* const at = writable(from);
    Assembler(at, at + kLeap).jump(to - cache_.executable());
  };
  // Where the entries differ, saving the flags is as long as a leap.
  leap(old.host_entry(), made.host_entry());
  leap(old.memory_entry, made.memory_entry);
  if (old.lazy_entry()) {
    // Both have the same instructions up to where the flags are overwritten, but the longer one may need none, or, for the
    // groups that it makes, need them in memory.
    const bool needs_none = made.host_entry() == made.memory_entry;
    const bool as_lazy = made.lazy_entry() && made.changed == old.changed;
    if (needs_none || as_lazy)
      leap(old.lazy_entry(), needs_none ? made.memory_entry : made.lazy_entry());
    else
      frame_.heat[old.heat] = kNeverHot;  // who comes that way stays
  }
  cache_.replace(old);
  redirect_jumps(old, made);
}

}  // namespace pollux::cpu::translate
