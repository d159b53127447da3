// The 8254 timer of a PC: counter 0 drives an interrupt, counter 2 the speaker, whose gate and output are in port
// 0x61. counters() is at ports 0x40-0x43, gate() at 0x61.
//
// Counter 0's rising edges are made exactly at the first virtual nanosecond at or after the chip's tick. In periodic
// modes the line is seen as a short low pulse before each edge.
// Source: Intel 8254 data sheet; port 0x61: ICH9 data sheet, 13.7.1.
#pragma once

#include <array>

#include "device/device.h"
#include "device/pit_channel.h"

namespace pollux::device {

class Pit final : public Timed {
 public:
  static constexpr u64 kHz = 1'193'182;

  Pit(Host& host, IrqLine& irq);

  Registers& counters() { return counters_; }
  Registers& gate() { return gate_; }

  door::VirtualNs deadline() const override { return deadline_; }
  void advance() override;

  void visit(Visitor& v);

 private:
  struct Counters final : Registers {
    explicit Counters(Pit& p) : pit(p) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    Pit& pit;
  };
  struct Gate final : Registers {
    explicit Gate(Pit& p) : pit(p) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    Pit& pit;
  };

  u64 tick() const { return u64(u128(host_.now().value) * kHz / 1'000'000'000); }
  void plan();  // the next edge of counter 0

  Host& host_;
  IrqLine& irq_;
  std::array<PitChannel, 3> channels_;
  u8 speaker_ = 0;
  door::VirtualNs deadline_ = door::kNever;
  Counters counters_{*this};
  Gate gate_{*this};
};

}  // namespace pollux::device
