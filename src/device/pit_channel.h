// One counter of the 8254 as a function of time in its own ticks. pit.h wires three of them.
//
// Invariants
//  1. count() and output() are computed from the tick at which counting began; nothing is stepped.
//  2. next_rise() is the first tick after `now` at which the output goes from low to high, or kNoTick.
// A new count takes effect at once, also in modes 2 and 3 (the chip waits for the end of the period).
// Source: Intel 8254 data sheet (order 231164).
#pragma once

#include "base/integers.h"
#include "base/visit.h"

namespace pollux::device {

class PitChannel {
 public:
  static constexpr u64 kNoTick = ~u64{0};

  // The control word's access, mode and BCD bits for this counter (not a latch command).
  void control(u8 word, u64 tick);
  void latch_count(u64 tick);
  void latch_status(u64 tick);
  u8 read(u64 tick);
  void write(u8 value, u64 tick);
  void set_gate(bool open, u64 tick);
  bool gate() const { return gate_; }

  bool output(u64 tick) const;
  u64 next_rise(u64 tick) const;

  void visit(Visitor& v);

 private:
  u64 full_count() const { return reload_ != 0 ? reload_ : bcd_ ? 10000 : 0x10000; }
  u64 elapsed(u64 tick) const;
  u16 count(u64 tick) const;
  void start(u64 tick);

  u8 mode_ = 0, access_ = 3;  // access: 1 low byte, 2 high byte, 3 low then high
  bool bcd_ = false;
  bool loaded_ = false;       // a count was written since the control word
  bool running_ = false;      // started (modes 1 and 5 wait for the gate)
  bool gate_ = true;
  bool write_high_ = false, read_high_ = false;
  u8 written_low_ = 0;
  u32 reload_ = 0;
  u64 started_ = 0;           // tick
  u64 paused_at_ = kNoTick;   // elapsed ticks when the gate closed; kNoTick: counting
  bool count_latched_ = false, status_latched_ = false;
  u16 latched_count_ = 0;
  u8 latched_status_ = 0;
};

}  // namespace pollux::device
