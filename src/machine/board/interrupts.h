// The interrupt wiring of the PC: the local APICs, IO-APIC and PIC, and the lines and messages between them.
//
//   ISA line n -> PIC input n and IO-APIC input n (line 0 -> input 2)       isa(n)
//   message-signalled interrupts: writes to 0xfeexxxxx                      message()
//   PIC -> LINT0 of every local APIC (virtual wire) or, while one is disabled, its processor itself; firmware leaves
//          LINT0 open on the first processor only
//   IO-APIC, messages, local APIC -> the local APICs that are addressed      deliver(), send()
//
// A message of lowest priority goes to the addressed processor that works at the lowest priority, the first of several.
// The board implements ProcessorSignals. Invariant: what raised(n) says and what signals.interrupt_line(n) was last told
// are the same.
// Source: Intel SDM vol. 3, 11.11 (message format); MultiProcessor Specification 1.4, 3.6.2 (virtual wire).
#pragma once

#include <memory>
#include <vector>

#include "device/ioapic.h"
#include "device/lapic.h"
#include "device/pic.h"

namespace pollux::machine::board {

class ProcessorSignals {
 public:
  virtual ~ProcessorSignals() = default;
  virtual void interrupt_line(u32 processor, bool raised) = 0;  // only told of changes
  virtual void nmi(u32 processor) = 0;
  virtual void init(u32 processor) = 0;
  virtual void start_up(u32 processor, u8 vector) = 0;
};

class Interrupts final : public device::InterruptSink, public device::PicPort, public device::MessageSink {
 public:
  Interrupts(device::Host& host, ProcessorSignals& signals, u32 processors);
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  device::IrqLine& isa(unsigned irq) { return isa_[irq]; }
  device::Lapic& lapic(u32 processor) { return locals_[processor]->lapic; }
  device::Ioapic& ioapic() { return ioapic_; }
  device::Pic& pic() { return pic_; }

  bool raised(u32 processor) const { return locals_[processor]->raised; }
  u8 acknowledge(u32 processor);
  door::VirtualNs deadline() const;  // the first of the local timers

  void message(u64 address, u32 data) override;                      // MessageSink
  void deliver(const device::InterruptMessage& message) override;    // InterruptSink

  void visit(Visitor& v);

 private:
  struct IsaLine final : device::IrqLine {
    Interrupts* owner = nullptr;
    unsigned irq = 0;
    void set(bool raised) override;
  };

  // One processor's.
  struct Local final : device::LapicPort {
    Local(Interrupts& o, device::Host& host, u32 n) : owner(o), number(n), lapic(host, *this, u8(n)) {}
    void presents_changed() override { owner.update(*this); }
    void end_of_interrupt(u8 vector) override { owner.ioapic_.end_of_interrupt(vector); }
    void send(const device::InterruptMessage& message) override { owner.send(*this, message); }
    void signal(device::Delivery kind, u8 vector) override;

    Interrupts& owner;
    u32 number;
    device::Lapic lapic;
    bool raised = false;
  };

  void pic_output(bool raised) override;  // PicPort
  void send(Local& from, const device::InterruptMessage& message);
  Local* of_lowest_priority(const device::InterruptMessage& message);
  bool external(const Local& local) const;  // the PIC asks for this processor's attention
  void update(Local& local);

  ProcessorSignals& signals_;
  std::vector<std::unique_ptr<Local>> locals_;
  device::Ioapic ioapic_;
  device::Pic pic_;
  IsaLine isa_[16];
};

}  // namespace pollux::machine::board
