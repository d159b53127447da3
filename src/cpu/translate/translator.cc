#include "cpu/translate/translator.h"

#include <optional>

#include "cpu/interpret/mode.h"
#include "cpu/translate/make_translator.h"

namespace pollux::cpu::translate {

namespace {

// Beside interpret/mode.h's bits.
constexpr u32 kSeparateMode = 1 << 10;  // accesses do not share look-ups
constexpr u32 kCrossingMode = 1 << 11;  // one instruction, which crosses a page
constexpr u32 kShortSeparateMode = 1 << 15;  // as kSeparateMode, and few bytes

constexpr u64 kLastPage32 = 0xffff'f000;  // below 4 GiB

// From where rsp is.
template <class T>
i32 distance(const Frame& frame, const T& to) {
  return i32(reinterpret_cast<const u8*>(&to) - reinterpret_cast<const u8*>(&frame)) - kRspInFrame;
}

Layout layout_of(const Frame& frame, interpret::Interpreter& cpu, const memory::CodeRegion& region) {
  Layout l;
  l.has_bmi = region.has_bmi;
  const x86::State& s = cpu.s();
  l.gpr = distance(frame, s.gpr);
  l.xmm = distance(frame, s.xmm);
  l.rflags = distance(frame, s.rflags);
  l.star = distance(frame, s.star);
  l.lstar = distance(frame, s.lstar);
  l.sfmask = distance(frame, s.sfmask);
  l.tsc_adjust = distance(frame, s.tsc_adjust);
  l.tsc_aux = distance(frame, s.tsc_aux);
  l.fs_base = distance(frame, s.segment[x86::kFs].base);
  l.gs_base = distance(frame, s.segment[x86::kGs].base);
  l.kernel_gs_base = distance(frame, s.kernel_gs_base);
  l.cr = {distance(frame, s.cr0), 0, distance(frame, s.cr2), distance(frame, s.cr3), distance(frame, s.cr4)};
  l.segment = distance(frame, s.segment);
  l.attention = distance(frame, cpu.attention_cell());
  l.arithmetic = distance(frame, cpu.arithmetic_cell());
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    const mmu::Tlb& tlb = cpu.mmu().tlb(mmu::View(view));
    l.tlb[view] = {{distance(frame, tlb.tags[0]), distance(frame, tlb.tags[1])},
                   distance(frame, tlb.hosts),
                   distance(frame, tlb.distances)};
  }
  if (region.has_fsgsbase) l.in_gs = l.tlb[unsigned(mmu::View::kUser)].tags[0];
  return l;
}

}  // namespace

std::unique_ptr<Cpu> make_translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region) {
  return std::make_unique<Translator>(memory, bus, std::move(region), Patience());
}

Translator::Translator(memory::GuestMemory& memory, Bus& bus, memory::CodeRegion region, Patience patience)
    : interpreter_(memory, bus, kDecodedBytes),
      layout_(layout_of(frame_, interpreter_, region)),
      cache_(std::move(region), [this](std::span<Translation* const> dropped) { forget_jumps(dropped); }),
      thunks_(write_thunks(cache_.hot(), cache_.executable(), layout_)),
      writer_(layout_, thunks_, interpreter_, cache_),
      patience_(patience) {
  cache_.keep_so_far();
  clear_jumps();
  frame_.serve = &Translator::serve;
  frame_.owner = this;
  frame_.time_line = bus.time_line();
  interpreter_.set_second_observer(this);
}

StopReason Translator::run(door::Position until, EarlyStop early) {
  if (position() >= until) return StopReason::kPosition;
  until_ = until.value;
  from_ = position().value;
  early_ = early;
  set_horizon();
  interpreter_.enter();
  if (const u8* code = next_code()) thunks_.enter(&frame_, code);
  interpreter_.leave();
  return reason_;
}

StopReason Translator::step(door::Position until, ByteSpan& code) {
  code = {};
  if (position() >= until) return StopReason::kPosition;
  interpreter_.enter();
  stepping_ = true;
  const u64 left = until - position();
  const Translation* next = nullptr;
  if (left > kMargin && !interpreter_.wants_turn() && may_translate()) next = find(interpreter_.s().rip);
  if (next && next->steps && left > kMargin + next->steps) {
    code = std::as_bytes(std::span(next->memory_entry - cache_.executable(), cache_.end()));
    until_ = horizon_ = position().value + kMargin + next->steps;
    early_ = {};
    exits_ = 0;
    thunks_.enter(&frame_, begin(*next));
  } else {
    end_step();
  }
  stepping_ = false;
  interpreter_.leave();
  return reason_;
}

// What looking for translated code or for memory has set in page tables is for the next instruction, so a step includes
// it.
const u8* Translator::end_step() {
  reason_ = interpreter_.advance(position().value + 1, interpret::Advance::kAll);
  return nullptr;
}

const u8* Translator::next_code() {
  using interpret::Advance;
  if (stepping_) return end_step();
  for (;;) {
    const u64 at = position().value;
    // Nothing is left to execute, but the last instruction may have asked for a stop.
    if (at >= until_) return reason_ = interpreter_.advance(until_, Advance::kAll), nullptr;
    if (ends_early()) return reason_ = StopReason::kEarly, nullptr;
    const bool to_the_end = until_ - at <= kMargin;
    const bool may = may_translate();
    const Advance how = to_the_end ? Advance::kAll : may ? Advance::kOneInstruction : Advance::kOneBlock;
    if (!to_the_end && may && !interpreter_.wants_turn()) {
      if (const u8* code = rest()) return code;
      const Translation* next = find(interpreter_.s().rip);
      if (next && next->steps) return begin(*next);
    }
    ++counters_.interpreted_steps;
    ++exits_;
    reason_ = interpreter_.advance(to_the_end ? until_ : next_look(), how);
    if (reason_ != StopReason::kPosition) return nullptr;
  }
}

void Translator::set_horizon() {
  exits_ = 0;
  const u64 at = position().value;
  horizon_ = early_ && until_ - at > early_.look_every + kMargin ? at + early_.look_every + kMargin : until_;
}

// Not before anything has retired; not behind a delivery, where no run to a position ends; and not where the processor is
// about to do something else than the next instruction, for a stop that the last one asked for is told first.
bool Translator::ends_early() {
  if (!early_ || exits_ < kExitsToLook || position().value == from_) return false;
  if (interpreter_.has_delivered() || interpreter_.wants_turn()) return false;
  set_horizon();
  return early_.is_asked_at(position().value);
}

// Both sides of the count change alike.
void Translator::end_with_trace() {
  if (frame_.budget <= 0) return;
  frame_.end -= u64(frame_.budget);
  frame_.budget = 0;
}

void Translator::give_budget(u64 executed) {
  const i64 budget = new_budget();
  frame_.end = position().value + u64(budget);
  frame_.budget = budget - i64(executed);
}

const u8* Translator::begin(const Translation& translation) {
  give_budget();
  begin_at(interpreter_.s().rip);
  return translation.memory_entry;
}

void Translator::begin_at(u64 rip) {
  frame_.page = rip & ~memory::kPageMask;
  look_after_jumps();
  frame_.salt = salt(context(rip));
  frame_.epoch = epoch(frame_.salt);
  look_after_transfers();
  begun_drops_ = drops_;
  ++counters_.entered;
}

bool Translator::may_translate() const {
  return (interpreter_.code64() || interpreter_.flat_bits()) && !interpreter_.checks_alignment() &&
         (interpreter_.cpl() == 0 || interpreter_.cpl() == 3);
}

u32 Translator::mode() const {
  return interpreter_.mode_bits() | u32(interpreter_.view()) << kViewShiftInMode | interpreter_.flat_bits();
}

Translation* Translator::known_jump(u64 linear, u64 here, JumpKind kind) {
  look_after_jumps();
  const unsigned index = jump_index(linear, salt(here), kind);
  return frame_.jumps[index].linear == linear ? jump_targets_[index] : nullptr;
}

Translation* Translator::find(u64 rip) {
  const u64 here = context(rip);
  if (Translation* const known = known_jump(rip, here)) return known;
  Translation* found = find_or_make(rip);
  if (found && found->crosses) found = find_crossing(rip);
  if (found) remember_jump(rip, here, *found);
  return found;
}

Translation* Translator::find_or_make(u64 rip) {
  const auto code = fetch(rip);
  if (!code) return nullptr;
  const u32 mode = this->mode();
  Translation* const known = cache_.find(code->physical.value, mode);
  return known ? known : &translate(*code, mode, kShort, true);
}

Translation* Translator::find_separate(u64 rip, bool of_short) {
  const JumpKind kind = of_short ? JumpKind::kOfShort : JumpKind::kSeparate;
  const u64 here = context(rip);
  if (Translation* const known = known_jump(rip, here, kind)) return known;
  const auto code = fetch(rip);
  if (!code) return nullptr;
  const u32 separate = mode() | (of_short ? kShortSeparateMode : kSeparateMode);
  Translation* found = cache_.find(code->physical.value, separate);
  if (!found) found = &translate(*code, separate, of_short ? kShortSeparate : kSeparate, false);
  enter_jump(rip, here, kind, *found);
  return found;
}

// nullptr: its second page cannot be fetched from, or it is for the interpreter.
Translation* Translator::find_crossing(u64 rip) {
  const auto first = fetch(rip);
  const auto second = fetch((rip | memory::kPageMask) + 1);
  if (!first || !second) return nullptr;
  const u64 second_page = second->physical.value >> memory::kPageShift;
  const u32 crossing = mode() | kCrossingMode;
  Translation* known = cache_.find(first->physical.value, crossing);
  if (known && known->second_page() == second_page) return known;
  make_room();
  std::array<std::byte, 15> bytes;
  const u64 before = memory::kPageSize - (rip & memory::kPageMask);
  std::memcpy(bytes.data(), first->host, before);
  std::memcpy(bytes.data() + before, second->host, bytes.size() - before);
  read_crossing(interpreter_.reader(), bytes, u16(rip & memory::kPageMask), mode(), trace_);
  if (trace_.steps.empty()) return nullptr;
  Translation& made = write(*first, crossing, kSeparate, false);
  made.second_page() = u32(second_page);
  interpreter_.mmu().watch_code(memory::PhysAddr(second_page << memory::kPageShift));
  cache_.reaches(made, second_page);
  return &made;
}

bool Translator::may_hold_code(u64 linear) const {
  return x86::is_canonical(linear) && (interpreter_.code64() || linear < kLastPage32);
}

// Nothing: executing there faults, or it is not in RAM, or where EIP would wrap.
std::optional<mmu::Translation> Translator::fetch(u64 rip) {
  if (!may_hold_code(rip)) return std::nullopt;
  mmu::Translation t;
  x86::Fault fault;
  if (!interpreter_.mmu().translate(rip, mmu::Access::kFetch, fetch_view(), t, fault) || !t.host) return std::nullopt;
  return t;
}

bool Translator::look_ahead(u64 linear, std::vector<i32>& seen) {
  const auto& rip = interpreter_.s().rip;
  const u64 page = linear & ~memory::kPageMask;
  const u64 end = std::min(position().value + kLong.steps, until_), last = std::min(end + kLong.steps, until_);
  const u32 mode = this->mode();
  // Best where a trace begins, so that none needs to be made that begins there.
  const auto is_over = [&] {
    if (position().value < end) return false;
    mmu::Translation t;
    const bool is_there = interpreter_.mmu().translate_unchanged(rip, mmu::Access::kFetch, fetch_view(), t);
    return position().value >= last || (is_there && cache_.find(t.physical.value, mode));
  };
  seen.push_back(kElsewhere);
  for (;;) {
    const i64 distance = i64(rip - page);
    const bool is_near = distance >= -kFarthestPage && distance <= kFarthestPage;
    seen.push_back(is_near ? i32(distance) : kElsewhere);
    if (!is_near || is_over() || interpreter_.wants_turn()) return true;
    ++counters_.interpreted_steps;
    reason_ = interpreter_.advance(next_look(), interpret::Advance::kOneBlock);
    if (reason_ != StopReason::kPosition) return false;
    if (interpreter_.has_delivered()) return true;
  }
}

void Translator::cool() {
  constexpr u64 kMuch = u64{1} << 20;  // bytes
  if (counters_.code_bytes - cooled_ < kMuch) return;
  cooled_ = counters_.code_bytes;
  for (i32& heat : frame_.heat) {
    if (heat != kNeverHot) heat = patience_.entered;
  }
}

void Translator::make_room() {
  cool();
  if (cache_.has_room(Writer::kRoom)) return;
  looks_.clear();
  cache_.make_room();
  ++drops_;
  ++counters_.evictions;
}

namespace {

CodePage code_page(const mmu::Translation& code) {
  const u64 offset = code.physical.value & memory::kPageMask;
  return {{code.host - offset, memory::kPageSize}, u32(code.physical.value >> memory::kPageShift)};
}

}  // namespace

Translation& Translator::translate(const mmu::Translation& code, u32 mode, const Reach& reach, bool counts) {
  make_room();
  const auto its_page_alone = [&](i32 distance) { return distance == 0 ? code_page(code) : CodePage{}; };
  read_trace(interpreter_.reader(), its_page_alone, u16(code.physical.value & memory::kPageMask), mode, reach, {},
             trace_);
  return write(code, mode, reach, counts);
}

Translation& Translator::translate_hot(const mmu::Translation& code, u64 linear, Seen seen) {
  make_room();
  const u64 here = linear & ~memory::kPageMask;
  const auto page_at = [&](i32 distance) {
    if (distance == 0) return code_page(code);
    const u64 at = here + u64(i64{distance});
    mmu::Translation there;
    const bool is_near = may_hold_code(at) && at >> 63 == here >> 63;  // the context is that of this half
    const bool is_there =
        is_near && interpreter_.mmu().translate_unchanged(at, mmu::Access::kFetch, fetch_view(), there);
    return is_there && there.host ? code_page(there) : CodePage{};
  };
  read_trace(interpreter_.reader(), page_at, u16(code.physical.value & memory::kPageMask), mode(), kLong, seen, trace_);
  Translation& made = write(code, mode(), kLong, false);
  for (const Trace::Page& page : trace_.pages) {
    interpreter_.mmu().watch_code(memory::PhysAddr(u64{page.number} << memory::kPageShift));
    cache_.reaches(made, page.number);
  }
  return made;
}

// The trace that was read, for which there is room.
Translation& Translator::write(const mmu::Translation& code, u32 mode, const Reach& reach, bool counts) {
  ++counters_.translations;
  interpreter_.mmu().watch_code(memory::PhysAddr(code.physical.value & ~memory::kPageMask));
  Translation& made = cache_.add(code.physical.value, mode);
  made.counts = counts;
  made.crosses = trace_.crosses && trace_.steps.empty();
  std::optional<u16> heat;
  if (counts) {
    heat = made.heat = next_heat_++;
    frame_.heat[made.heat] = patience_.entered;
  }
  const u8* const hot = cache_.hot().at();
  const u8* const cold = cache_.cold().at();
  writer_.write(trace_, reach.compact, heat, made);
  counters_.code_bytes += u64(cache_.hot().at() - hot) + u64(cache_.cold().at() - cold);
  return made;
}

bool Translator::code_write(memory::PhysAddr from, u64) {
  if (cache_.drop_page(from.value >> memory::kPageShift)) ++drops_;
  return true;
}

std::vector<std::pair<std::string, u64>> Translator::counters() const {
  return {{"engine.translated_instructions", counters_.translated_instructions},
          {"engine.entries", counters_.entered},
          {"engine.lent_instructions", counters_.lent_instructions},
          {"engine.interpreted_steps", counters_.interpreted_steps},
          {"engine.translations", counters_.translations},
          {"engine.code_bytes", counters_.code_bytes},
          {"engine.evictions", counters_.evictions}};
}

void Translator::visit(Visitor& v) {
  interpreter_.visit(v);
  if (v.restoring()) {
    rest_ = {};
    cache_.flush();
    looks_.clear();
    clear_jumps();
    spaces_.clear();
    places_.clear();
  }
}

}  // namespace pollux::cpu::translate
