#include "device/virtio/net.h"

#include <algorithm>

namespace pollux::device::virtio {
namespace {

// Feature bits (5.1.3).
constexpr u64 kMac = 1 << 5, kMergeBuffers = 1 << 15, kStatus = 1 << 16;
constexpr u16 kLinkUp = 1;
constexpr unsigned kReceive = 0, kTransmit = 1;
// virtio_net_hdr (5.1.6): flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers.
constexpr u64 kHeaderBytes = 12;
constexpr u64 kNumBuffersAt = 10;
constexpr u64 kMinFrameBytes = 14;  // addresses and type

constexpr Kind kKind{.type = 1, .class_code = 0x020000, .queues = 2, .queue_size = 256, .config_bytes = 8};

}  // namespace

Net::Net(Host& the_host, MessageSink& messages, NetSettings settings)
    : Device(the_host, messages, kKind, "network card " + std::to_string(settings.nic)),
      nic_(settings.nic),
      mac_(settings.mac) {}

u64 Net::offered() const { return kMac | kMergeBuffers | kStatus; }

Bytes Net::configuration() const {
  ByteWriter out;
  for (const u8 byte : mac_) out.put<u8>(byte);
  out.put<u16>(link_up_ ? kLinkUp : 0);
  return out.take();
}

void Net::on_doorbell(unsigned index) {
  if (index == kTransmit) {
    transmit();
  } else {
    drain_backlog();
  }
}

void Net::transmit() {
  Chain chain;
  for (unsigned n = queue(kTransmit).available(); n && queue(kTransmit).pop(chain); --n) {
    const u64 bytes = chain.readable_bytes - std::min(chain.readable_bytes, kHeaderBytes);
    if (link_up_ && bytes >= kMinFrameBytes && bytes <= kMaxFrameBytes) {
      door::PacketOutput packet{nic_, Bytes(bytes)};
      gather(memory(), chain.readable, kHeaderBytes, packet.frame);
      host().emit(std::move(packet));
    }
    queue(kTransmit).push(chain.head, 0);
  }
  queue(kTransmit).want_doorbell(true);
  publish(kTransmit);
}

void Net::receive(ByteSpan frame) {
  if (!running() || !link_up_ || frame.size() < kMinFrameBytes || frame.size() > kMaxFrameBytes ||
      backlog_.size() >= kBacklog) {
    ++dropped_;
    return;
  }
  backlog_.emplace_back(frame.begin(), frame.end());
  drain_backlog();
}

void Net::drain_backlog() {
  while (!backlog_.empty()) {
    const Place result = place(backlog_.front());
    if (result == Place::kNoBuffers) break;
    if (result == Place::kTooLong) ++dropped_;
    backlog_.pop_front();
  }
  // New buffers matter only to a packet that waits for them.
  queue(kReceive).want_doorbell(!backlog_.empty());
  publish(kReceive);
}

Net::Place Net::place(ByteSpan frame) {
  struct Part {
    u16 head;
    std::vector<Segment> segments;
    u64 bytes;
  };
  std::vector<Part> parts;
  const u64 wanted = kHeaderBytes + frame.size();
  const bool merge = negotiated(kMergeBuffers);
  u64 room = 0;
  Chain chain;
  for (unsigned n = queue(kReceive).available(); room < wanted; --n) {
    if (n == 0 || !queue(kReceive).pop(chain)) {
      queue(kReceive).unpop(u16(parts.size()));
      return Place::kNoBuffers;
    }
    parts.push_back({chain.head, std::move(chain.writable), std::min(chain.writable_bytes, wanted - room)});
    room += parts.back().bytes;
    if (!merge) break;
  }
  if (room < wanted || (parts.front().bytes < kHeaderBytes)) {
    // Too small for the packet, or for a header: the buffers come back empty.
    for (const Part& part : parts) queue(kReceive).push(part.head, 0);
    return Place::kTooLong;
  }
  Bytes whole(kHeaderBytes);
  const u16 count = u16(parts.size());
  std::memcpy(whole.data() + kNumBuffersAt, &count, sizeof count);
  whole.insert(whole.end(), frame.begin(), frame.end());
  ByteSpan rest(whole);
  for (const Part& part : parts) {
    scatter(memory(), part.segments, 0, rest.first(part.bytes));
    rest = rest.subspan(part.bytes);
    queue(kReceive).push(part.head, part.bytes);
  }
  return Place::kPlaced;
}

void Net::set_link(bool up) {
  if (up == link_up_) return;
  link_up_ = up;
  if (!up) {
    dropped_ += backlog_.size();
    backlog_.clear();
  }
  configuration_changed();
}

void Net::on_reset() { backlog_.clear(); }

void Net::visit_kind(Visitor& v) {
  v.field("link_up", link_up_);
  v.field("dropped", dropped_);
  u64 count = backlog_.size();
  v.field("backlog", count);
  if (v.restoring()) backlog_.resize(std::min<u64>(count, kBacklog));
  for (Bytes& frame : backlog_) v.sized("frame", frame);
}

}  // namespace pollux::device::virtio
