// The pair of 8259A interrupt controllers of a PC, as one device with 16 inputs: the second's output is the first's
// input 2.
//
// Ports: controller(0) at 0x20, controller(1) at 0xa0 (two ports each), trigger() at 0x4d0 (the edge/level registers
// of EISA and PCI chipsets). The board watches output() after changed() and asks acknowledge() for the vector.
// Invariants
//  1. output() is a function of the visited state.
//  2. acknowledge() without a pending interrupt gives the spurious one: input 7, not marked in service.
// Not here: buffered mode, MCS-80 vectors, polarity.
// Source: Intel 8259A data sheet (order 231468).
#pragma once

#include <array>

#include "device/device.h"

namespace pollux::device {

class PicPort {
 public:
  virtual ~PicPort() = default;
  virtual void pic_output(bool raised) = 0;  // told after every possible change
};

class Pic final {
 public:
  explicit Pic(PicPort& port);

  IrqLine& input(unsigned irq) { return inputs_[irq]; }
  Registers& controller(unsigned which) { return controllers_[which]; }
  Registers& trigger() { return trigger_; }

  bool output() const { return controllers_[0].pending() >= 0; }
  u8 acknowledge();

  void visit(Visitor& v);

 private:
  struct Controller final : Registers {
    Pic* owner = nullptr;
    u8 index = 0;
    u8 level_mask = 0;  // inputs that may be level-triggered
    u8 levels = 0, requested = 0, in_service = 0, mask = 0xff, level_triggered = 0;
    u8 vector_base = 0, lowest_priority = 7, step = 0;  // step: which initialisation word comes next; 0: none
    bool needs_icw4 = false, single = false, auto_eoi = false, rotate_on_auto_eoi = false;
    bool special_mask = false, fully_nested_special = false, read_service = false, poll = false;

    int pending() const;  // the input to serve now, or -1
    void set_input(unsigned n, bool raised);
    u8 take();            // its vector
    void end(unsigned n, bool rotate);
    unsigned rank(unsigned n) const { return (n - lowest_priority - 1) & 7; }
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    void write_command(u8 value);
    void write_data(u8 value);
    void visit(Visitor& v);
  };
  struct Input final : IrqLine {
    Pic* owner = nullptr;
    unsigned irq = 0;
    void set(bool raised) override { owner->set_input(irq, raised); }
  };
  struct Trigger final : Registers {
    explicit Trigger(Pic& p) : pic(p) {}
    u64 read(u64 offset, unsigned) override { return pic.controllers_[offset & 1].level_triggered; }
    void write(u64 offset, unsigned, u64 value) override {
      Controller& c = pic.controllers_[offset & 1];
      c.level_triggered = u8(value) & c.level_mask;
    }
    Pic& pic;
  };

  void set_input(unsigned irq, bool raised);
  void changed();

  PicPort& port_;
  std::array<Controller, 2> controllers_;
  std::array<Input, 16> inputs_;
  Trigger trigger_{*this};
};

}  // namespace pollux::device
