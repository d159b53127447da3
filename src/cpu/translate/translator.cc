#include "cpu/translate/translator.h"

#include <optional>

#include "cpu/interpret/mode.h"
#include "cpu/translate/make_translator.h"

namespace pollux::cpu::translate {

namespace {

// Beside interpret/mode.h's bits.
constexpr u32 kSeparateMode = 1 << 10;  // accesses do not share look-ups

template <class T>
i32 distance(const Frame& frame, const T& to) {
  return i32(reinterpret_cast<const u8*>(&to) - reinterpret_cast<const u8*>(&frame));
}

Layout layout_of(const Frame& frame, interpret::Interpreter& cpu) {
  Layout l;
  const x86::State& s = cpu.s();
  l.gpr = distance(frame, s.gpr);
  l.xmm = distance(frame, s.xmm);
  l.rflags = distance(frame, s.rflags);
  l.fs_base = distance(frame, s.segment[x86::kFs].base);
  l.gs_base = distance(frame, s.segment[x86::kGs].base);
  l.arithmetic = distance(frame, cpu.arithmetic_cell());
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    l.tables[view][0] = distance(frame, *cpu.mmu().read_table(mmu::View(view)));
    l.tables[view][1] = distance(frame, *cpu.mmu().write_table(mmu::View(view)));
  }
  return l;
}

}  // namespace

std::unique_ptr<Cpu> make_translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region) {
  return std::make_unique<Translator>(memory, bus, std::move(region));
}

Translator::Translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region, unsigned wanted_often)
    : interpreter_(memory, bus),
      layout_(layout_of(frame_, interpreter_)),
      cache_(std::move(region)),
      wanted_often_(wanted_often) {
  thunks_ = write_thunks(cache_.hot(), cache_.executable(), layout_);
  cache_.keep_so_far();
  frame_.fill = &Translator::fill;
  frame_.owner = this;
  interpreter_.set_second_observer(this);
}

StopReason Translator::run(door::Position until) {
  if (position() >= until) return StopReason::kPosition;
  interpreter_.enter();
  const StopReason reason = loop(until.value);
  interpreter_.leave();
  return reason;
}

StopReason Translator::loop(u64 until) {
  using interpret::Advance;
  std::optional<Exit> jump;  // it led here, and may be linked to what is found
  for (;;) {
    const std::optional<Exit> linkable = std::exchange(jump, std::nullopt);
    const u64 left = until - position().value;
    const bool to_the_end = left <= kMargin;
    Advance how = to_the_end ? Advance::kAll : Advance::kOneInstruction;
    if (!to_the_end && !interpreter_.wants_turn() && may_translate()) {
      const u64 flushes = counters_.flushes;
      const u64 rip = interpreter_.s().rip;
      Translation* next = linkable && linkable->kind == ExitKind::kSeparate ? find_separate(rip) : find(rip, how);
      if (next && linkable && flushes == counters_.flushes) link(*linkable, *next);
      if (next && next->steps) {
        const Exit& exit = enter(*next, until);
        if (exit.kind == ExitKind::kLink || exit.kind == ExitKind::kSeparate) jump = exit;
        if (jump || exit.kind == ExitKind::kJump) continue;
        if (exit.kind == ExitKind::kBudget) return interpreter_.advance(until, Advance::kAll);
      }
    }
    ++counters_.interpreted_steps;
    const StopReason reason = interpreter_.advance(until, how);
    if (reason != StopReason::kPosition || position().value >= until) return reason;
  }
}

bool Translator::may_translate() const {
  return interpreter_.code64() && !interpreter_.checks_alignment() && (interpreter_.cpl() == 0 || interpreter_.cpl() == 3);
}

u32 Translator::mode() const { return interpreter_.mode_bits() | u32(interpreter_.view()) << kViewShiftInMode; }

// Of jumps to the half of the linear addresses that rip is in. What it leaves out is looked after below.
u64 Translator::context(u64 rip) const {
  const bool upper = rip >> 63;
  const mmu::Mmu& mmu = interpreter_.mmu();
  return mmu.fetch_space(upper) | (mmu.fetch_changes(upper) & 0x7fff'ffff) << 13 | (drops_ & 0x3fff) << 44 |
         u64(interpreter_.view()) << 58 | u64(upper) << 60;
}

void Translator::look_after_jumps() {
  const mmu::Mmu& mmu = interpreter_.mmu();
  const u64 epoch = interpreter_.mode_bits() | ((mmu.fetch_changes(false) >> 31) + (mmu.fetch_changes(true) >> 31)) << 8 |
                    (drops_ >> 14) << 32;
  if (epoch == jump_epoch_) return;
  jump_epoch_ = epoch;
  frame_.jumps.fill({});
}

Translation* Translator::find(u64 rip, interpret::Advance& how) {
  JumpEntry& jump = frame_.jumps[jump_index(rip)];
  look_after_jumps();
  const u64 here = context(rip);
  if (jump.linear == rip && jump.context == here) return jump.translation;
  const auto code = fetch(rip);
  if (!code) return nullptr;
  Translation* known = cache_.find(code->physical.value, mode());
  if (!known && is_cold(code->physical.value)) {
    how = interpret::Advance::kOneBlock;
    return nullptr;
  }
  Translation& found = known ? *known : translation(*code, mode());
  jump = {rip, here, found.memory_entry, &found};
  return &found;
}

Translation* Translator::find_separate(u64 rip) {
  const auto code = fetch(rip);
  return code ? &translation(*code, mode() | kSeparateMode) : nullptr;
}

bool Translator::is_cold(u64 physical) {
  u8& wanted = wanted_[(physical ^ physical >> 16) & (wanted_.size() - 1)];
  if (wanted >= wanted_often_) return false;
  ++wanted;
  return true;
}

// Nothing: executing there faults, or it is not in RAM.
std::optional<mmu::Translation> Translator::fetch(u64 rip) {
  if (!x86::is_canonical(rip)) return std::nullopt;
  mmu::Translation t;
  x86::Fault fault;
  const mmu::View view = interpret::Interpreter::view_of(interpreter_.cpl());
  if (!interpreter_.mmu().translate(rip, mmu::Access::kFetch, view, t, fault) || !t.host) return std::nullopt;
  return t;
}

Translation& Translator::translation(const mmu::Translation& code, u32 mode) {
  const u64 physical = code.physical.value;
  const u64 offset = physical & memory::kPageMask;
  if (Translation* known = cache_.find(physical, mode)) return *known;
  if (cache_.hot().room() < Writer::kRoom || cache_.cold().room() < Writer::kRoom) {
    cache_.flush();
    frame_.jumps.fill({});
    ++counters_.flushes;
  }
  ++counters_.translations;
  read_trace(interpreter_.reader(), {code.host - offset, memory::kPageSize}, u16(offset), mode, !(mode & kSeparateMode),
             trace_);
  interpreter_.mmu().watch_code(memory::PhysAddr(physical - offset));
  Translation& made = cache_.add(physical, mode);
  Writer writer(layout_, thunks_, interpreter_.view(), cache_.exits());
  writer.write(cache_.hot(), cache_.cold(), cache_.executable(), trace_, made);
  return made;
}

void Translator::link(const Exit& exit, const Translation& to) {
  if (exit.from->dropped || to.dropped || ((exit.from->mode ^ to.mode) & ~kSeparateMode)) return;
  if ((exit.from->physical ^ to.physical) >> memory::kPageShift != 0) return;
  Assembler::link(exit.jump, (exit.host_flags ? to.host_entry : to.memory_entry) - cache_.executable());
}

const Exit& Translator::enter(const Translation& translation, u64 until) {
  x86::State& s = interpreter_.s();
  const i64 budget = i64(until - position().value - kMargin);
  frame_.budget = budget;
  frame_.page = s.rip & ~memory::kPageMask;
  look_after_jumps();
  frame_.context = context(s.rip);
  ++counters_.entered;
  const Exit& exit = cache_.exits()[thunks_.enter(&frame_, translation.memory_entry)];
  const u64 executed = u64(budget - frame_.budget) - exit.give_back;
  counters_.translated_instructions += executed;
  interpreter_.retired(executed);
  s.rip = frame_.page + exit.offset;
  return exit;
}

u64 Translator::fill(Frame* frame, u64 linear, u64 access) {
  return u64(frame->owner->fill_table(linear, u32(access)));
}

Filled Translator::fill_table(u64 linear, u32 access) {
  const u64 size = access & 0xffff;
  if ((linear & memory::kPageMask) + size > memory::kPageSize) {
    return access & kGroupAccess ? Filled::kSeparate : Filled::kInterpret;
  }
  if ((access & kAlignedAccess) && (linear & (size - 1))) return Filled::kInterpret;
  if (!x86::is_canonical(linear)) return Filled::kInterpret;
  const mmu::View view = mmu::View(access >> kViewShift);
  const mmu::Access kind = access & kWriteAccess ? mmu::Access::kWrite : mmu::Access::kRead;
  mmu::Translation t;
  mmu::Mmu& mmu = interpreter_.mmu();
  const u64 revoked = mmu.revocations();
  if (!mmu.translate_beside_code(linear, kind, view, t) || !t.host) return Filled::kInterpret;
  // The running trace may hold an address that it may no longer write to.
  if (revoked != mmu.revocations()) return Filled::kInterpret;
  return mmu.probe(linear, kind, view) ? Filled::kHit : Filled::kInterpret;
}

bool Translator::code_write(memory::PhysAddr from, u64) {
  if (cache_.drop_page(from.value >> memory::kPageShift)) ++drops_;
  return true;
}

void Translator::visit(Visitor& v) {
  interpreter_.visit(v);
  if (v.restoring()) {
    cache_.flush();
    frame_.jumps.fill({});
  }
}

}  // namespace pollux::cpu::translate
