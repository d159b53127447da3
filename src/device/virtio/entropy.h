// virtio-rng: random bytes for the guest. They come from a pool that EntropyInput fills, for a secret cannot be
// computed; the device says how many it would like, the session answers. Requests wait in the ring while the pool is
// empty. No byte is given twice.
//
// Source: Virtual I/O Device 1.2, 5.4.
#pragma once

#include "device/virtio/device.h"

namespace pollux::device::virtio {

class Entropy final : public Device {
 public:
  static constexpr std::size_t kLow = 64;     // below it the pool wants to be filled
  static constexpr std::size_t kFull = 256;   // up to here
  static constexpr std::size_t kMost = 4096;  // more is not kept

  Entropy(Host& host, MessageSink& messages);

  // Bytes were delivered.
  void fill(ByteSpan bytes);
  // How many bytes an input should bring now; a function of state.
  u64 wanted() const { return running() && pool_.size() < kLow ? kFull - pool_.size() : 0; }

 private:
  u64 offered() const override { return 0; }
  Bytes configuration() const override { return {}; }
  void on_doorbell(unsigned queue) override;
  void on_reset() override {}
  void visit_kind(Visitor& v) override;

  Bytes pool_;
};

}  // namespace pollux::device::virtio
