// A 16550A serial port. What the guest sends leaves as console output; what people type comes in by receive().
//
// Sending takes no time: the holding register is always empty. Bytes are gathered for up to kGather of virtual time,
// so that a line of text is one output. Received bytes that the 16-byte FIFO cannot hold wait in a queue.
// Invariant: the interrupt line is a function of the visited state.
// Not here: modem line changes, break, parity (the line is perfect); OUT2 does not gate the interrupt.
// Source: National Semiconductor PC16550D data sheet.
#pragma once

#include "device/device.h"

namespace pollux::device {

class Serial final : public Registers, public Timed {
 public:
  static constexpr u64 kGatherNs = 1'000'000;
  static constexpr std::size_t kGatherBytes = 512;
  static constexpr std::size_t kQueueBytes = 1 << 16;  // beyond it typed bytes are lost, as on an overrun line

  Serial(Host& host, IrqLine& irq) : host_(host), irq_(irq) {}

  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, unsigned size, u64 value) override;
  void receive(ByteSpan bytes);
  // A byte that goes out beside the registers (debug console port).
  void send(u8 byte);

  door::VirtualNs deadline() const override { return flush_at_; }
  void advance() override;
  void flush();  // now, before the machine goes off

  void visit(Visitor& v);

 private:
  u8 interrupt_identity() const;
  unsigned trigger_level() const;
  unsigned readable() const;  // bytes in the FIFO (or the one in the buffer register)
  u8 take_received();
  void update();

  bool latch_selected() const { return line_control_ & 0x80; }
  bool loopback() const { return modem_control_ & 0x10; }

  Host& host_;
  IrqLine& irq_;
  u8 interrupt_enable_ = 0, fifo_control_ = 0, line_control_ = 0, modem_control_ = 0, scratch_ = 0;
  u16 divisor_ = 12;
  bool transmit_pending_ = false;  // the "holding register empty" interrupt waits
  Bytes received_;                 // FIFO first, then the queue behind it
  Bytes sent_;
  door::VirtualNs flush_at_ = door::kNever;
};

}  // namespace pollux::device
