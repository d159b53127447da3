// The x87 register stack, tags and status word on x86::X87, as SDM vol. 1 chapter 8 has them. What the host computes
// comes from x87_host.h; here is what this project does by itself: TOP, empty registers, stack faults, and the
// decision whether an exception is masked.
//
// Invariants
//  1. status bits ES and B are set exactly when an exception flag is set that control does not mask.
//  2. Condition codes that the manual leaves undefined keep their value.
#pragma once

#include "x86/state.h"

namespace pollux::cpu::interpret {

enum X87Status : u16 {
  kX87Ie = 0x01,
  kX87De = 0x02,
  kX87Ze = 0x04,
  kX87Oe = 0x08,
  kX87Ue = 0x10,
  kX87Pe = 0x20,
  kX87Sf = 0x40,
  kX87Es = 0x80,
  kX87C0 = 0x100,
  kX87C1 = 0x200,
  kX87C2 = 0x400,
  kX87C3 = 0x4000,
  kX87Busy = 0x8000,
};
inline constexpr u16 kX87Top = 0x3800;
inline constexpr u16 kX87Exceptions = 0x3f;
inline constexpr u16 kX87Conditions = kX87C0 | kX87C1 | kX87C2 | kX87C3;
// Exceptions that are found before anything is computed: unmasked, they leave the operands as they were.
inline constexpr u16 kX87Before = kX87Ie | kX87De | kX87Ze;

inline constexpr u16 kX87ControlBits = 0x1f3f;  // the others read as written below
inline constexpr u16 kX87ControlFixed = 0x40;

inline constexpr x86::X87Register kX87Indefinite{0xc000000000000000, 0xffff, {}};

class X87Stack {
 public:
  explicit X87Stack(x86::X87& f) : f_(f) {}

  unsigned top() const { return f_.status >> 11 & 7; }
  void set_top(unsigned top) { f_.status = u16((f_.status & ~kX87Top) | (top & 7) << 11); }
  unsigned physical(unsigned i) const { return (top() + i) & 7; }
  bool empty(unsigned i) const { return !(f_.tag >> physical(i) & 1); }
  bool full() const { return !empty(7); }  // ST(-1) is in use
  void free(unsigned i) { f_.tag &= u8(~(1u << physical(i))); }

  const x86::X87Register& st(unsigned i) const { return f_.registers[physical(i)]; }
  void set(unsigned i, const x86::X87Register& value) {
    f_.registers[physical(i)] = {value.significand, value.sign_exponent, {}};
    f_.tag |= u8(1u << physical(i));
  }
  void pop() {
    free(0);
    set_top(top() + 1);
  }
  void push(const x86::X87Register& value) {
    set_top(top() - 1);
    set(0, value);
  }

  void set_c1(bool value) { f_.status = u16(value ? f_.status | kX87C1 : f_.status & ~kX87C1); }

  // Invariant 1, after a change of status or control.
  void update_summary() {
    if (f_.status & ~f_.control & kX87Exceptions) {
      f_.status |= kX87Es | kX87Busy;
    } else {
      f_.status &= u16(~(kX87Es | kX87Busy));
    }
  }

  // Takes the exception flags of a host's status word, C1, and the condition codes named. Returns those exceptions
  // that are unmasked. After one that comes before the computation there is nothing that could have been rounded.
  u16 take(u16 host_status, u16 conditions = kX87C1) {
    const u16 unmasked = host_status & u16(~f_.control) & kX87Exceptions;
    const u16 open = unmasked & kX87Before ? kX87Oe | kX87Ue | kX87Pe | kX87C1 : 0;
    f_.status = u16((f_.status & ~conditions) | (host_status & ~open & (kX87Exceptions | conditions)));
    update_summary();
    return unmasked & ~open;
  }

  // A source register that is empty, or a push onto a full stack: #IS. True when it is masked, so that the
  // instruction goes on with the indefinite value.
  bool fault(bool overflow) {
    f_.status |= kX87Ie | kX87Sf;
    set_c1(overflow);
    update_summary();
    return f_.control & kX87Ie;
  }
  bool underflow() { return fault(false); }
  bool overflow() { return fault(true); }

 private:
  x86::X87& f_;
};

}  // namespace pollux::cpu::interpret
