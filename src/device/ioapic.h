// The I/O APIC: 24 interrupt inputs, each turned into a message to local APICs by its redirection entry.
//
// Inputs come by pin(n).set(); messages leave by InterruptSink; the end of a level-triggered interrupt comes back by
// end_of_interrupt().
// Redirection entry:
//   63-56 destination | 16 masked | 15 level | 14 remote IRR | 13 polarity | 12 status | 11 logical | 10-8 delivery |
//   7-0 vector
// Invariants
//  1. An entry's remote IRR is set from the sending of a level-triggered interrupt until its end.
//  2. Polarity has no effect: set(true) always means asserted.
//  3. An edge that comes while its entry is masked is kept, and sent when the mask goes.
// Source: Intel 82093AA data sheet; ICH9 data sheet, 13.5 (EOI register, version 0x20).
#pragma once

#include <array>

#include "device/device.h"
#include "device/lapic.h"

namespace pollux::device {

class InterruptSink {
 public:
  virtual ~InterruptSink() = default;
  virtual void deliver(const InterruptMessage& message) = 0;
};

class Ioapic final : public Registers {
 public:
  static constexpr unsigned kPins = 24;

  Ioapic(InterruptSink& sink, u8 id);

  IrqLine& pin(unsigned number) { return pins_[number]; }
  void end_of_interrupt(u8 vector);

  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, unsigned size, u64 value) override;

  void visit(Visitor& v);

 private:
  struct Pin final : IrqLine {
    Ioapic* owner = nullptr;
    unsigned number = 0;
    void set(bool raised) override { owner->set_pin(number, raised); }
  };

  void set_pin(unsigned pin, bool raised);
  void service(unsigned pin);
  u32 read_indexed() const;
  void write_indexed(u32 value);

  InterruptSink& sink_;
  std::array<Pin, kPins> pins_;
  u32 id_;
  u32 index_ = 0;
  u32 levels_ = 0;   // inputs as they are
  u32 pending_ = 0;  // edges not sent yet
  std::array<u64, kPins> entries_{};
};

}  // namespace pollux::device
