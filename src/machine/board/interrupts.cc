#include "machine/board/interrupts.h"

#include "machine/platform.h"

namespace pollux::machine::board {

using device::Delivery;
using device::InterruptMessage;
using device::Trigger;

Interrupts::Interrupts(device::Host& host, ProcessorSignals& signals)
    : signals_(signals), lapic_(host, *this, 0), ioapic_(*this, platform::kIoApicId), pic_(*this) {
  for (unsigned irq = 0; irq < 16; ++irq) {
    isa_[irq].owner = this;
    isa_[irq].irq = irq;
  }
  lapic_.set_virtual_wire();
}

void Interrupts::IsaLine::set(bool raised) {
  owner->pic_.input(irq).set(raised);
  if (irq == 2) return;  // the PICs' cascade: no line of the bus
  owner->ioapic_.pin(irq == platform::kPicTimerIrq ? platform::kTimerGsi : irq).set(raised);
}

void Interrupts::update() {
  const bool raised = lapic_.presents() || (pic_.output() && lapic_.takes_external());
  if (raised == raised_) return;
  raised_ = raised;
  signals_.interrupt_line(raised);
}

void Interrupts::pic_output(bool raised) {
  lapic_.set_lint0(raised);
  update();
}

u8 Interrupts::acknowledge() {
  const u8 vector = lapic_.presents() || !(pic_.output() && lapic_.takes_external()) ? lapic_.take() : pic_.acknowledge();
  update();
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
  deliver(m);
}

void Interrupts::deliver(const InterruptMessage& m) {
  if (m.delivery == Delivery::kExtInt) return;  // the PIC is wired to LINT0, not to the IO-APIC
  if (lapic_.addressed_by(m)) lapic_.accept(m.delivery, m.vector, m.trigger);
}

void Interrupts::send(const InterruptMessage& m) {
  switch (m.shorthand) {
    case device::Shorthand::kOthers: return;  // there are none
    case device::Shorthand::kSelf:
    case device::Shorthand::kAll: return lapic_.accept(m.delivery, m.vector, m.trigger);
    case device::Shorthand::kNone: return deliver(m);
  }
}

void Interrupts::signal(Delivery kind, u8) {
  if (kind == Delivery::kNmi) signals_.nmi();
  if (kind == Delivery::kInit) signals_.init();
  // A start-up message means something only to a processor that waits for one.
}

void Interrupts::visit(Visitor& v) {
  v.component("lapic", lapic_);
  v.component("ioapic", ioapic_);
  v.component("pic", pic_);
  if (v.restoring()) {
    raised_ = !(lapic_.presents() || (pic_.output() && lapic_.takes_external()));
    update();  // tells the processor
  }
}

}  // namespace pollux::machine::board
