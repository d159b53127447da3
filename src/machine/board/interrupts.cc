#include "machine/board/interrupts.h"

#include <algorithm>
#include <string>

#include "machine/platform.h"

namespace pollux::machine::board {

using device::Delivery;
using device::InterruptMessage;
using device::Shorthand;
using device::Trigger;

Interrupts::Interrupts(device::Host& host, ProcessorSignals& signals, u32 processors)
    : signals_(signals), ioapic_(*this, platform::kIoApicId), pic_(*this) {
  for (u32 n = 0; n < processors; ++n) locals_.push_back(std::make_unique<Local>(*this, host, n));
  for (unsigned irq = 0; irq < 16; ++irq) {
    isa_[irq].owner = this;
    isa_[irq].irq = irq;
  }
  lapic(0).set_virtual_wire();
}

void Interrupts::IsaLine::set(bool raised) {
  owner->pic_.input(irq).set(raised);
  if (irq == 2) return;  // the PICs' cascade: no line of the bus
  owner->ioapic_.pin(irq == platform::kPicTimerIrq ? platform::kTimerGsi : irq).set(raised);
}

door::VirtualNs Interrupts::deadline() const {
  door::VirtualNs first = door::kNever;
  for (const auto& local : locals_) first = std::min(first, local->lapic.deadline());
  return first;
}

bool Interrupts::external(const Local& local) const { return pic_.output() && local.lapic.takes_external(); }

void Interrupts::update(Local& local) {
  const bool raised = local.lapic.presents() || external(local);
  if (raised == local.raised) return;
  local.raised = raised;
  signals_.interrupt_line(local.number, raised);
}

void Interrupts::pic_output(bool raised) {
  for (auto& local : locals_) {
    local->lapic.set_lint0(raised);
    update(*local);
  }
}

u8 Interrupts::acknowledge(u32 processor) {
  Local& local = *locals_[processor];
  const u8 vector = local.lapic.presents() || !external(local) ? local.lapic.take() : pic_.acknowledge();
  update(local);
  return vector;
}

// Address: 31-20 0xfee | 19-12 destination | 3 redirection hint | 2 logical.  Data: 15 level | 10-8 delivery | 7-0 vector.
void Interrupts::message(u64 address, u32 data) {
  if (address >> 20 != 0xfee) return;  // not an interrupt; there is no device memory to write to either
  InterruptMessage m;
  m.destination = u32(address >> 12 & 0xff);
  m.logical = address >> 2 & 1;
  m.delivery = Delivery(data >> 8 & 7);
  m.vector = u8(data);
  m.trigger = data >> 15 & 1 ? Trigger::kLevel : Trigger::kEdge;
  const bool redirectable = address >> 3 & 1;
  if (redirectable && m.logical && m.delivery == Delivery::kFixed) m.delivery = Delivery::kLowest;
  deliver(m);
}

Interrupts::Local* Interrupts::of_lowest_priority(const InterruptMessage& m) {
  Local* chosen = nullptr;
  for (auto& local : locals_) {
    if (!local->lapic.addressed_by(m) || !local->lapic.software_enabled()) continue;
    if (!chosen || local->lapic.processor_priority() < chosen->lapic.processor_priority()) chosen = local.get();
  }
  return chosen;
}

void Interrupts::deliver(const InterruptMessage& m) {
  if (m.delivery == Delivery::kExtInt) return;  // the PIC is wired to LINT0, not to the IO-APIC
  if (m.delivery == Delivery::kLowest) {
    if (Local* local = of_lowest_priority(m)) local->lapic.accept(m.delivery, m.vector, m.trigger);
    return;
  }
  for (auto& local : locals_) {
    if (local->lapic.addressed_by(m)) local->lapic.accept(m.delivery, m.vector, m.trigger);
  }
}

void Interrupts::send(Local& from, const InterruptMessage& m) {
  if (m.shorthand == Shorthand::kNone) return deliver(m);
  if (m.shorthand == Shorthand::kSelf) return from.lapic.accept(m.delivery, m.vector, m.trigger);
  for (auto& local : locals_) {
    if (local.get() == &from && m.shorthand == Shorthand::kOthers) continue;
    if (local->lapic.enabled()) local->lapic.accept(m.delivery, m.vector, m.trigger);
  }
}

void Interrupts::Local::signal(Delivery kind, u8 vector) {
  if (kind == Delivery::kNmi) owner.signals_.nmi(number);
  if (kind == Delivery::kInit) owner.signals_.init(number);
  if (kind == Delivery::kStartup) owner.signals_.start_up(number, vector);
}

void Interrupts::visit(Visitor& v) {
  for (auto& local : locals_) {
    v.component(locals_.size() == 1 ? "lapic" : "lapic" + std::to_string(local->number), local->lapic);
  }
  v.component("ioapic", ioapic_);
  v.component("pic", pic_);
  if (!v.restoring()) return;
  for (auto& local : locals_) {
    local->raised = !(local->lapic.presents() || external(*local));
    update(*local);  // tells the processor
  }
}

}  // namespace pollux::machine::board
