// The run loop: blocks, interrupts, faults, and the exact position.
#include <xmmintrin.h>

#include <algorithm>

#include "base/check.h"
#include "cpu/interpret/delivery.h"
#include "cpu/interpret/interpreter.h"
#include "cpu/interpret/make_interpreter.h"

namespace pollux::cpu::interpret {

namespace {
// A guest whose fault handlers fault for ever retires nothing, and could hold its position for ever. It is reset
// instead, as after a triple fault.
constexpr u64 kMaxDeliveries = 1 << 16;
}  // namespace

Interpreter::Interpreter(memory::GuestMemory& memory, Bus& bus, u64 decoded_bytes)
    : memory_(memory), bus_(bus), mmu_(memory), blocks_(decoded_bytes) {
  mmu_.set_code_observer(this);
  r_.state.reset();
  state_changed();
}

Interpreter::~Interpreter() = default;

std::unique_ptr<Cpu> make_interpreter(memory::GuestMemory& memory, Bus& bus) {
  return std::make_unique<Interpreter>(memory, bus);
}

void Interpreter::state_changed() {
  set_arithmetic(r_.state.rflags);
  mmu_.flush();
  control_changed();
}

void Interpreter::set_interrupt_line(bool raised) {
  if (raised == interrupt_line_) return;
  interrupt_line_ = raised;
  refresh_attention();
  if (raised && current_) end_block();
}

void Interpreter::raise_nmi() {
  r_.state.nmi_pending = true;
  refresh_attention();
  if (current_) end_block();
}

void Interpreter::request_stop() {
  attention_ |= kStop;
  if (current_) end_block();
}

void Interpreter::halt() {
  r_.state.halted = true;
  refresh_attention();
}

void Interpreter::set_shadow() {
  r_.state.interrupt_shadow = true;
  refresh_attention();
}

void Interpreter::refresh_attention() {
  const x86::State& s = r_.state;
  attention_ &= kStop;
  if (interrupt_line_) attention_ |= kLine;
  if (s.nmi_pending && !s.nmi_blocked) attention_ |= kNmi;
  if (s.rflags & x86::kTf) attention_ |= kSingleStep;
  if (s.interrupt_shadow) attention_ |= kShadow;
  if (s.halted) attention_ |= kHalted;
}

void Interpreter::raise(x86::Exception vector, u32 error) { raise(x86::Fault{vector, error, 0}); }

void Interpreter::raise(const x86::Fault& fault) {
  POLLUX_CHECK(attempt_, "faults are raised while the processor runs");
  fault_ = fault;
  _longjmp(*attempt_, 1);
}

StopReason Interpreter::run(door::Position until, EarlyStop early) {
  if (position_ >= until.value) return StopReason::kPosition;
  enter();
  StopReason reason;
  do {
    const u64 left = until.value - position_;
    reason = advance(position_ + (early ? std::min(left, early.look_every) : left), Advance::kAll);
    // A stop that the last instruction asked for is told first.
    if (reason == StopReason::kPosition && early.is_asked_at(position_) && !(attention_ & kStop))
      reason = StopReason::kEarly;
  } while (reason == StopReason::kPosition && position_ < until.value);
  leave();
  return reason;
}

void Interpreter::enter() {
  running_ = true;
  host_mxcsr_ = _mm_getcsr();
  _mm_setcsr(r_.state.mxcsr | 0x1f80);
  set_arithmetic(r_.state.rflags);
}

void Interpreter::leave() {
  r_.state.rflags = flags();
  r_.state.mxcsr = mxcsr();
  running_ = false;
  _mm_setcsr(host_mxcsr_);
}

StopReason Interpreter::advance(u64 until, Advance how) {
  until_ = until;
  // The translations depend on memory that others may have written between runs: writes to watched pages were
  // reported, so nothing is stale here.
  for (;;) {
    StopReason reason = StopReason::kPosition;
    const auto fault = attempt([&] { reason = loop(how); });
    if (!fault) return reason;
    reason = take(*fault);
    if (reason != StopReason::kPosition || how != Advance::kAll) return reason;
  }
}

// kShutdown, or kPosition: the guest's handler is next.
StopReason Interpreter::take(const x86::Fault& fault) {
  if (current_) {
    // The instruction did not retire, but those before it in the block, and iterations of REP, did.
    position_ += u64(current_ - first_);
    r_.state.rip = instruction_rip();
    if (current_ != first_) deliveries_ = 0;
  }
  current_ = first_ = nullptr;
  last_block_ = nullptr;
  take_fault(fault);
  // A single-step trap is part of the instruction before it, which has retired.
  if (fault.vector == x86::Exception::kDebug) deliveries_ = 0;
  if (!shutdown_) return StopReason::kPosition;
  shutdown_ = false;
  deliveries_ = 0;
  return StopReason::kShutdown;
}

StopReason Interpreter::execute(const Instruction& i, u64 until) {
  until_ = until;
  budget_ = until - position_;
  last_block_ = nullptr;
  skip_single_step_ = code_changed_ = false;
  current_ = first_ = &i;
  end_ = first_ + 1;
  r_.block_rip = r_.state.rip;
  r_.state.rip += i.length;
  if (const auto fault = attempt([&] { i.handler(*this, i); })) return take(*fault);
  ++position_;
  current_ = first_ = nullptr;
  deliveries_ = 0;
  return StopReason::kPosition;
}

// Delivers a fault; a fault while doing so combines with it (SDM vol. 3, 6.15, table 6-5).
void Interpreter::take_fault(const x86::Fault& first) {
  if (++deliveries_ > kMaxDeliveries) {
    shutdown_ = true;
    return;
  }
  x86::Fault fault = first;
  for (;;) {
    const auto second = attempt([&] { deliver_exception(*this, fault); });
    if (!second) return;
    if (fault.vector == x86::Exception::kDoubleFault) {
      shutdown_ = true;
      return;
    }
    fault = is_double_fault(fault.vector, second->vector) ? x86::Fault{x86::Exception::kDoubleFault, 0, 0} : *second;
  }
}

StopReason Interpreter::loop(Advance how) {
  const unsigned instructions = how == Advance::kOneInstruction ? 1 : Block::kMaxInstructions;
  most_in_block_ = instructions;
  for (;;) {
    if (attention_ & kStop) [[unlikely]] {
      attention_ &= ~u32{kStop};
      return has_delivered() ? StopReason::kDelivering : StopReason::kRequested;
    }
    if (position_ >= until_) [[unlikely]] return StopReason::kPosition;
    u64 most = until_ - position_;
    if (attention_) [[unlikely]] {
      if (deliver_pending()) {
        if (how != Advance::kAll) return StopReason::kPosition;
        continue;
      }
      if (r_.state.halted) return StopReason::kHalted;
      if (attention_ & (kSingleStep | kShadow)) most = 1;
    }

    Block* block = nullptr;
    if (Block* last = last_block_) {
      const u64 delta = r_.state.rip - last_rip_;
      for (const Block::Link& link : last->links) {
        if (link.delta == delta) block = link.block;
      }
    }
    if (!block) {
      Block* last = last_block_;
      block = find_block();
      // Only within one page, so that the link dies with it; last_block_ is reset when blocks were dropped.
      if (last && last == last_block_ && (block->physical ^ last->physical) >> memory::kPageShift == 0 &&
          block->second_page == ~u64{0} && !block->dead &&
          r_.state.rip - last_rip_ == block->physical - last->physical && code64()) {
        Block::Link& link = last->links[last->links[0].block != nullptr];
        link = {r_.state.rip - last_rip_, block};
      }
    }
    execute(block, most, instructions);
    if (how != Advance::kAll) return StopReason::kPosition;
  }
}

bool Interpreter::deliver_pending() {
  x86::State& s = r_.state;
  if (attention_ & kShadow) return false;
  if (attention_ & kNmi) {
    ++deliveries_;
    s.nmi_pending = false;
    s.nmi_blocked = true;
    s.halted = false;
    refresh_attention();
    last_block_ = nullptr;
    deliver_interrupt(*this, u8(x86::Exception::kNmi));
    return true;
  }
  if ((attention_ & kLine) && (s.rflags & x86::kIf)) {
    ++deliveries_;
    s.halted = false;
    refresh_attention();
    last_block_ = nullptr;
    deliver_interrupt(*this, bus_.acknowledge_interrupt());
    return true;
  }
  return false;
}

void Interpreter::execute(Block* block, u64 most, unsigned instructions) {
  x86::State& s = r_.state;
  const bool single_step = s.rflags & x86::kTf;
  if (attention_ & kShadow) [[unlikely]] {
    s.interrupt_shadow = false;  // unless this instruction sets it again
    refresh_attention();
  }
  skip_single_step_ = false;
  code_changed_ = false;

  unsigned count = block->count;
  const bool flat = code64();
  if (!flat && s.rip + block->bytes - 1 > s.segment[x86::kCs].limit) [[unlikely]] {
    // The block runs beyond the limit of CS: only what fits; the next one faults.
    const u64 room = u64(s.segment[x86::kCs].limit) + 1 - s.rip;
    unsigned fits = 0;
    while (fits < count && block->instructions[fits].offset + block->instructions[fits].length <= room) ++fits;
    if (fits == 0) raise(x86::Exception::kProtection, 0);
    count = fits;
  }
  budget_ = most;
  first_ = block->instructions;
  end_ = first_ + std::min<u64>(std::min(count, instructions), most);
  r_.block_rip = s.rip;
  last_block_ = block->linkable ? block : nullptr;
  last_rip_ = s.rip;
  s.rip += block->bytes;
  if (!flat) s.rip = code_size_ == decode::CodeSize::k16 ? u16(s.rip) : u32(s.rip);

  const Instruction* i = first_;
  do {
    current_ = i;
    i->handler(*this, *i);
  } while (++i != end_);

  const u64 done = u64(i - first_);
  position_ += done;
  if (done != block->count) {  // stopped early
    s.rip = r_.block_rip + i->offset;
    last_block_ = nullptr;
  }
  current_ = first_ = nullptr;
  deliveries_ = 0;
  if (single_step && !skip_single_step_ && !(attention_ & kShadow)) [[unlikely]] {
    raise(x86::Fault{x86::Exception::kDebug, 0, 0x4000});
  }
}

void Interpreter::visit(Visitor& v) {
  r_.state.visit(v);
  v.field("position", position_);
  v.field("interrupt_line", interrupt_line_);
  for (u64& pdpte : mmu_.pdptes()) v.field("pdpte", pdpte);
  if (v.restoring()) {
    attention_ = 0;
    deliveries_ = 0;
    blocks_.drop_all();
    state_changed();
  }
}

}  // namespace pollux::cpu::interpret
