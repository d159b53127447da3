// The MC146818 real-time clock of a PC with its 128 bytes of CMOS memory. registers() is at ports 0x70 and 0x71.
//
// The date is virtual time plus an offset: the wall clock at power-on, or what the guest set. Bit 7 of port 0x70
// (NMI mask) is not kept. Periodic, alarm and update interrupts come at exact virtual times; their flags, when their
// interrupts are off, are found out when register C is read.
// A kernel sets its clock from this one at boot and knows whole seconds only; Linux takes them for half a second past.
// So that its date is exact, the first readings of the seconds after power-on take until it is half past (kSlowReads).
// Invariants
//  1. A register that shows the date is computed, except while the guest holds the clock (SET bit), when the date
//     shown is the one of that moment with what the guest has written since.
//  2. The line is (register C & register B & 0x70) != 0.
// Not here: daylight saving, square wave output, a failed battery.
// Source: Motorola MC146818A data sheet; the century in byte 0x32 as the ACPI FADT says.
#pragma once

#include <array>

#include "device/device.h"
#include "device/rtc_calendar.h"

namespace pollux::device {

class Rtc final : public Registers, public Timed {
 public:
  Rtc(Host& host, IrqLine& irq);

  // The date at virtual time zero, nanoseconds since 1970.
  void set_wall_clock(u64 unix_ns);

  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, unsigned size, u64 value) override;

  door::VirtualNs deadline() const override { return deadline_; }
  void advance() override;

  void visit(Visitor& v);

 private:
  static constexpr u8 kSlowReads = 4;

  u64 unix_ns() const { return host_.now().value + offset_ns_; }
  u64 period_ns() const;  // of the periodic interrupt; 0: off
  bool held() const { return memory_[0x0b] & 0x80; }
  void show(u64 unix_seconds);           // the date into the registers
  u64 shown() const;                     // and back
  u8 encode(u8 value) const;             // BCD or binary, as register B says
  u8 decode(u8 value) const;
  bool alarm_matches(u64 unix_seconds) const;
  u64 next_alarm(u64 unix_seconds) const;  // first matching second after, or 0
  void catch_up();                       // sets the flags of what happened since seen_ns_
  void update();                         // line and deadline
  void wait_for_half_past();
  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);

  Host& host_;
  IrqLine& irq_;
  u8 index_ = 0;
  std::array<u8, 128> memory_{};
  u64 offset_ns_ = 0;
  u8 slow_reads_left_ = kSlowReads;
  u64 slow_read_ns_ = 0;  // virtual time of the last one
  u64 seen_ns_ = 0;  // virtual time up to which flags are set
  door::VirtualNs deadline_ = door::kNever;
};

}  // namespace pollux::device
