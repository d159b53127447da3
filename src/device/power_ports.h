// The ports by which a PC is reset or switched off without ACPI, each a register file of its own. None has
// interrupts; all emit power outputs.
//   reset_control()   0xcf9: a write with bit 2 set resets (ICH9 data sheet, 13.7.5)
//   keyboard()        0x64: there is no keyboard controller; the pulse command 0xfe resets, reads give all ones
//   system_control()  0x92: bit 0 rising resets; bit 1 (A20) reads as written and has no effect
//   exit()            0xf4: powers off with the value written as code, for tests
#pragma once

#include "device/device.h"

namespace pollux::device {

class PowerPorts final {
 public:
  explicit PowerPorts(Host& host) : host_(host) {}

  Registers& reset_control() { return reset_control_; }
  Registers& keyboard() { return keyboard_; }
  Registers& system_control() { return system_control_; }
  Registers& exit() { return exit_; }

  void visit(Visitor& v) {
    v.field("reset_control", reset_value_);
    v.field("system_control", system_value_);
  }

 private:
  struct Port final : Registers {
    using Read = u64 (PowerPorts::*)() const;
    using Write = void (PowerPorts::*)(u64 value);
    Port(PowerPorts& p, Read r, Write w) : ports(p), on_read(r), on_write(w) {}
    u64 read(u64, unsigned) override { return (ports.*on_read)(); }
    void write(u64, unsigned, u64 value) override { (ports.*on_write)(value); }
    PowerPorts& ports;
    Read on_read;
    Write on_write;
  };

  void reset() { host_.emit(door::PowerOutput{door::PowerEvent::kReset, 0}); }

  u64 nothing() const { return ~u64{0}; }
  u64 read_reset() const { return reset_value_; }
  void write_reset(u64 value) {
    reset_value_ = u8(value) & 0xa;
    if (value & 4) reset();
  }
  void write_keyboard(u64 value) {
    if ((value & 0xff) == 0xfe) reset();
  }
  u64 read_system() const { return system_value_; }
  void write_system(u64 value) {
    const bool rises = value & 1 && !(system_value_ & 1);
    system_value_ = u8(value) & 3;
    if (rises) reset();
  }
  void write_exit(u64 value) { host_.emit(door::PowerOutput{door::PowerEvent::kOff, u32(value)}); }

  Host& host_;
  u8 reset_value_ = 0;
  u8 system_value_ = 2;
  Port reset_control_{*this, &PowerPorts::read_reset, &PowerPorts::write_reset};
  Port keyboard_{*this, &PowerPorts::nothing, &PowerPorts::write_keyboard};
  Port system_control_{*this, &PowerPorts::read_system, &PowerPorts::write_system};
  Port exit_{*this, &PowerPorts::nothing, &PowerPorts::write_exit};
};

}  // namespace pollux::device
