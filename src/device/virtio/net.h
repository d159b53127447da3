// virtio-net: an Ethernet card. All packets that are available at a doorbell leave together as door::PacketOutput and
// are used at once; a packet delivered by the board is put in the driver's buffers with at most one interrupt.
//
// Invariants
//  1. A packet that finds no buffers waits in a backlog of bounded length; beyond it packets are dropped and counted,
//     a function of the delivered inputs like everything else.
//  2. Packets are received in the order of delivery, sent in the order of the ring.
//  3. While the link is down nothing is sent or received; buffers are used all the same.
//
// Not here: offloads, several queue pairs, filters (a host may filter before an input is made), the
// control queue.
// Source: Virtual I/O Device 1.2, 5.1.
#pragma once

#include <array>
#include <deque>

#include "device/virtio/device.h"

namespace pollux::device::virtio {

using MacAddress = std::array<u8, 6>;

struct NetSettings {
  u32 nic = 0;  // number in PacketOutput
  MacAddress mac{};
};

class Net final : public Device {
 public:
  static constexpr std::size_t kBacklog = 256;       // packets
  static constexpr std::size_t kMaxFrameBytes = 65550;  // a longer one is dropped

  Net(Host& host, MessageSink& messages, NetSettings settings);

  // A packet was delivered.
  void receive(ByteSpan frame);
  void set_link(bool up);

  const MacAddress& mac() const { return mac_; }
  u64 dropped() const { return dropped_; }

 private:
  u64 offered() const override;
  Bytes configuration() const override;
  void on_doorbell(unsigned queue) override;
  void on_reset() override;
  void visit_kind(Visitor& v) override;

  void transmit();
  // Receives what waits while there are buffers.
  void drain_backlog();
  enum class Place : u8 { kPlaced, kNoBuffers, kTooLong };
  Place place(ByteSpan frame);

  const u32 nic_;
  const MacAddress mac_;
  bool link_up_ = true;
  std::deque<Bytes> backlog_;
  u64 dropped_ = 0;
};

}  // namespace pollux::device::virtio
