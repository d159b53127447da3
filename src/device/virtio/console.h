// virtio-console: one port (hvc0). What the driver makes available leaves as door::ConsoleOutput at the doorbell;
// delivered bytes wait in a bounded backlog until there are buffers.
//
// Not here: several ports, console size, emergency write.
// Source: Virtual I/O Device 1.2, 5.3.
#pragma once

#include "device/virtio/device.h"

namespace pollux::device::virtio {

class Console final : public Device {
 public:
  static constexpr std::size_t kBacklogBytes = 1 << 20;   // beyond it input is dropped
  static constexpr std::size_t kMaxOutputBytes = 1 << 16;  // of one buffer; the rest is dropped

  Console(Host& host, MessageSink& messages);

  // Bytes were delivered.
  void receive(ByteSpan bytes);

 private:
  u64 offered() const override { return 0; }
  Bytes configuration() const override;
  void on_doorbell(unsigned queue) override;
  void on_reset() override {}
  void visit_kind(Visitor& v) override;

  void transmit();
  void drain_backlog();

  Bytes backlog_;
};

}  // namespace pollux::device::virtio
