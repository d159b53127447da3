// Where the guest's flags are.
#include <algorithm>

#include "cpu/interpret/host_flags.h"
#include "cpu/translate/writer.h"
#include "x86/flags.h"

namespace pollux::cpu::translate {

// For an exit's record.
i32 Writer::flags_from() const {
  if (flags_.where == Where::kPending) return Exit::kPending;
  return flags_.where == Where::kRemade ? trace_->steps[unsigned(flags_.step)].offset : Exit::kNone;
}

// The general registers that the step's flags follow from, once it has been executed; nothing: they do not.
std::optional<u16> Writer::remade_from(const Step& step) {
  const decode::Decoded& d = step.d;
  if (d.has_memory) return std::nullopt;
  if (step.action != Action::kSame && step.action != Action::kShift) return std::nullopt;
  u16 used = 0;
  for (unsigned k = 0; k < d.operand_count; ++k) {
    const decode::Operand& o = d.operands[k];
    if (o.kind == decode::OperandKind::kGpr) used |= u16(1u << o.gpr());
  }
  const decode::Operand& to = d.operands[0];
  const decode::Operand& from = d.operands[1];
  const bool same = from.kind == decode::OperandKind::kGpr && from.number == to.number;
  switch (d.mnemonic) {
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST: return used;
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR: return to.bits >= 32 ? std::optional(used) : std::nullopt;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB: return to.bits >= 32 && !same ? std::optional(used) : std::nullopt;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR: return step.action == Action::kShift && to.bits >= 32 ? std::optional(used) : std::nullopt;
    default: return std::nullopt;
  }
}

namespace {

enum class Need : u8 { kExits, kMore, kOver };

// What a step needs of the flags that were made before it; kOver: it makes others.
Need need_of(const Step& step) {
  if (step.enters) return Need::kMore;
  const bool goes_on = step.action == Action::kCall && step.taken;
  if (step.flags.reads || step.action == Action::kPushFlags) return Need::kMore;
  if (step.action >= Action::kBranch && !goes_on) return Need::kMore;
  const bool keeps = step.flags.writes_some || step.action == Action::kShiftByCl;
  if (keeps && step.needed_after) return Need::kMore;
  return overwrites_flags(step) ? Need::kOver : Need::kExits;
}

}  // namespace

bool Writer::overwrites_entry_flags() const {
  const auto soon = std::span(trace_->steps).first(std::min(count(), kMostUncounted));
  return !trace_->steps[0].needed_before && std::ranges::any_of(soon, overwrites_flags);
}

// Before the trace overwrites them. changed: registers that it has changed by then, as bits.
bool Writer::only_exits_need_entry_flags(u16& changed) const {
  changed = 0;
  for (const Step& step : trace_->steps) {
    const Need need = need_of(step);
    if (need != Need::kExits) return need == Need::kOver;
    changed |= step.d.gprs_written;
  }
  return false;
}

void Writer::save_flags() {
  constexpr u16 kOfZero = interpret::kHostFixed | interpret::kHostZf | interpret::kHostPf;
  if (flags_.where != Where::kHost) return;
  if (flags_.zero)
    a_->op({.code = 0xc7, .prefix66 = true}, 0, frame(offsetof(Frame, arithmetic))), a_->immediate(kOfZero, 2);
  else if (compact_ && flags_.repair == Repair::kNone)
    a_->call(thunks_.save_flags);
  else
    pieces().save_flags(flags_.repair);
  flags_.where = flags_.repair == Repair::kNone ? Where::kBoth : Where::kMemory;
  flags_.repair = Repair::kNone;
}

void Writer::restore_flags() {
  if (flags_.where != Where::kMemory) return;
  a_->mov(kScratch, kRaxReg);
  a_->op({.code = 0xb7, .map = 1}, kRaxReg, frame(offsetof(Frame, arithmetic)));      // movzx eax, word
  a_->byte(0x04), a_->byte(0x7f);                                                     // add al, 0x7f: OF
  a_->byte(0x9e);                                                                     // sahf
  a_->mov(kRaxReg, kScratch);
  flags_.where = Where::kBoth;
}

void Writer::flags_before_clobber() {
  if (flags_.where != Where::kHost || !step().needed_before) return;
  if (can_remake(index_))
    flags_.where = Where::kRemade;
  else
    save_flags();
}

// Only exits need the flags, the instruction that made them can be executed again (Interpreter::flags_again), and no
// exit finds its registers changed.
bool Writer::can_remake(unsigned from) const {
  if (flags_.step < 0 || repeating_) return false;
  const std::optional<u16> used = remade_from(trace_->steps[unsigned(flags_.step)]);
  if (!used) return false;
  bool changed = false;
  const i32 page = page_of(trace_->steps[unsigned(flags_.step)].offset);
  for (unsigned n = unsigned(flags_.step) + 1; n < count(); ++n) {
    const Step& later = trace_->steps[n];
    if (n >= from) {
      if (page_of(later.offset) != page) return false;  // exit.h
      const Need need = need_of(later);
      if (need == Need::kMore || (changed && may_exit(later))) return false;
      if (need == Need::kOver) return true;
    }
    if (later.d.gprs_written & *used) changed = true;
  }
  return false;
}

bool Writer::make_again(int made_by) {
  if (made_by < 0) return false;
  index_ = unsigned(made_by);
  const bool shift = step().action == Action::kShift;
  switch (step().d.mnemonic) {
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_AND:  // of its result it makes the same
    case ZYDIS_MNEMONIC_OR: break;
    default:
      if (!shift) return false;
  }
  hold_nothing();
  flags_.where = Where::kNowhere;
  repeating_ = true;
  if (shift)
    shift_again();
  else
    write_same();
  repeating_ = false;
  const bool compact = std::exchange(compact_, true);
  save_flags();
  compact_ = compact;
  return true;
}

void Writer::clobbered() {
  if (flags_.where == Where::kHost) flags_.where = Where::kNowhere;
  if (flags_.where == Where::kBoth) flags_.where = Where::kMemory;
  flags_.repair = Repair::kNone;
  flags_.zero = false;
}

// Gives the host's flags what the step reads, and what it leaves as it was.
void Writer::give_flags(const FlagEffect& effect) {
  const bool keeps = effect.writes_some && needed_after();
  if (!effect.reads && !keeps) return;
  if (effect.reads_carry_alone) {
    if (flags_.where == Where::kHost && flags_.repair == Repair::kZeroOnly) save_flags();
    if (flags_.where != Where::kMemory) return;
    // bt word, 8: a longer load would have to wait for the store of the flags.
    a_->op({.code = 0xba, .map = 1, .prefix66 = true}, 4, frame(offsetof(Frame, arithmetic)));
    a_->immediate(8, 1);
    return;
  }
  if (flags_.where == Where::kHost && (flags_.repair == Repair::kCarryOnly || flags_.repair == Repair::kZeroOnly))
    save_flags();
  restore_flags();
}

void Writer::flags_written(const FlagEffect& effect) {
  if (!effect.writes_all && !effect.writes_some) return;
  flags_.zero = false;
  if (!needed_after()) {
    flags_.where = Where::kNowhere;
    flags_.repair = Repair::kNone;
    return;
  }
  flags_.where = Where::kHost;
  flags_.step = effect.writes_all ? int(index_) : -1;
  if (effect.writes_all || effect.reads_carry_alone) flags_.repair = effect.repair;
}

bool Writer::host_knows(Condition c) const {
  if (flags_.where != Where::kHost && flags_.where != Where::kBoth) return false;
  switch (flags_.repair) {
    case Repair::kCarryOnly: return (c & ~1) == kO || (c & ~1) == kB;
    case Repair::kZeroOnly: return (c & ~1) == kZ;
    default: return true;
  }
}

Condition Writer::host_condition(Condition c) {
  if (host_knows(c)) return c;
  save_flags();
  u8 mask = 0;
  switch (Condition(c & ~1)) {
    case kO: mask = 1; break;
    case kB: mask = 0x01; break;
    case kZ: mask = 0x40; break;
    case kBe: mask = 0x41; break;
    case kS: mask = 0x80; break;
    case kP: mask = 0x04; break;
    default: break;
  }
  if (mask == 0) {
    restore_flags();
    return c;
  }
  const unsigned upper = (c & ~1) == kO ? 0 : 1;
  a_->op({.code = 0xf6}, 0, frame(offsetof(Frame, arithmetic) + upper));  // test byte, mask
  a_->immediate(mask, 1);
  clobbered();
  return c & 1 ? kZ : kNz;
}

}  // namespace pollux::cpu::translate
