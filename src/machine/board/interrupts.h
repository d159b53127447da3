// The interrupt wiring of the PC: local APIC, IO-APIC and PIC, and the lines and messages between them.
//
//   ISA line n -> PIC input n and IO-APIC input n (line 0 -> input 2)       isa(n)
//   message-signalled interrupts: writes to 0xfeexxxxx                      message()
//   PIC -> LINT0 of the processor's local APIC (virtual wire) or, while that is disabled, the processor itself
//
// The board implements ProcessorSignals. Invariant: what raised() says and what signals.interrupt_line() was last told
// are the same.
// One processor today; inter-processor messages already go through deliver(), which finds their targets.
// Source: Intel SDM vol. 3, 11.11 (message format); MultiProcessor Specification 1.4, 3.6.2 (virtual wire).
#pragma once

#include "device/ioapic.h"
#include "device/lapic.h"
#include "device/pic.h"

namespace pollux::machine::board {

class ProcessorSignals {
 public:
  virtual ~ProcessorSignals() = default;
  virtual void interrupt_line(bool raised) = 0;  // only told of changes
  virtual void nmi() = 0;
  virtual void init() = 0;  // an INIT to the processor itself
};

class Interrupts final : public device::LapicPort,
                         public device::InterruptSink,
                         public device::PicPort,
                         public device::MessageSink {
 public:
  Interrupts(device::Host& host, ProcessorSignals& signals);
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  device::IrqLine& isa(unsigned irq) { return isa_[irq]; }
  device::Lapic& lapic() { return lapic_; }
  device::Ioapic& ioapic() { return ioapic_; }
  device::Pic& pic() { return pic_; }

  bool raised() const { return raised_; }
  u8 acknowledge();

  void message(u64 address, u32 data) override;                      // MessageSink
  void deliver(const device::InterruptMessage& message) override;    // InterruptSink

  void visit(Visitor& v);

 private:
  struct IsaLine final : device::IrqLine {
    Interrupts* owner = nullptr;
    unsigned irq = 0;
    void set(bool raised) override;
  };

  void presents_changed() override { update(); }  // LapicPort
  void end_of_interrupt(u8 vector) override { ioapic_.end_of_interrupt(vector); }
  void send(const device::InterruptMessage& message) override;
  void signal(device::Delivery kind, u8 vector) override;
  void pic_output(bool raised) override;  // PicPort
  void update();

  ProcessorSignals& signals_;
  device::Lapic lapic_;
  device::Ioapic ioapic_;
  device::Pic pic_;
  IsaLine isa_[16];
  bool raised_ = false;
};

}  // namespace pollux::machine::board
