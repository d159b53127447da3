// ACPI fixed hardware: the PM1 event and control registers, the power button and the PM timer.
//
// registers() covers 12 ports: offset 0 status, 2 enable, 4 control, 8 the timer (32 bits, 3.579545 MHz). Writing
// SLP_EN with the type given at construction powers off. The line is the SCI, level-triggered.
// Invariant: the SCI's level is a function of the visited state.
// Source: ACPI 6.4, sections 4.8.1 to 4.8.3.
#pragma once

#include "device/device.h"

namespace pollux::device {

class AcpiPm final : public Registers, public Timed {
 public:
  static constexpr u64 kTimerHz = 3'579'545;

  AcpiPm(Host& host, IrqLine& sci, u8 off_type) : host_(host), sci_(sci), off_type_(off_type) {}

  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, unsigned size, u64 value) override;
  void press_power_button();

  // The timer's carry, while its interrupt is enabled.
  door::VirtualNs deadline() const override { return deadline_; }
  void advance() override;

  void visit(Visitor& v);

 private:
  u64 timer() const { return u64(u128(host_.now().value) * kTimerHz / 1'000'000'000); }
  void catch_up();  // sets the timer's status bit when bit 31 has toggled
  void update();

  Host& host_;
  IrqLine& sci_;
  u8 off_type_;
  u16 status_ = 0, enable_ = 0, control_ = 1;
  u64 seen_half_ = 0;  // timer() >> 31 when last looked at
  door::VirtualNs deadline_ = door::kNever;
};

}  // namespace pollux::device
