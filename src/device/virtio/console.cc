#include "device/virtio/console.h"

#include <algorithm>

namespace pollux::device::virtio {
namespace {

constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr Kind kKind{.type = 3, .class_code = 0x078000, .queues = 2, .queue_size = 64, .config_bytes = 12};

}  // namespace

Console::Console(Host& the_host, MessageSink& messages) : Device(the_host, messages, kKind, "the console") {}

Bytes Console::configuration() const {
  ByteWriter out;
  out.put<u32>(0);  // columns, rows: not offered
  out.put<u32>(1);  // ports
  out.put<u32>(0);  // emergency write: not offered
  return out.take();
}

void Console::on_doorbell(unsigned index) {
  if (index == kTransmit) {
    transmit();
  } else {
    drain_backlog();
  }
}

void Console::transmit() {
  door::ConsoleOutput output;
  Chain chain;
  for (unsigned n = queue(kTransmit).available(); n && queue(kTransmit).pop(chain); --n) {
    const std::size_t before = output.bytes.size();
    output.bytes.resize(before + std::min<u64>(chain.readable_bytes, kMaxOutputBytes));
    gather(memory(), chain.readable, 0, std::span(output.bytes).subspan(before));
    queue(kTransmit).push(chain.head, 0);
  }
  if (!output.bytes.empty()) host().emit(std::move(output));
  queue(kTransmit).want_doorbell(true);
  publish(kTransmit);
}

void Console::receive(ByteSpan bytes) {
  const std::size_t taken = std::min(bytes.size(), kBacklogBytes - backlog_.size());
  backlog_.insert(backlog_.end(), bytes.begin(), bytes.begin() + std::ptrdiff_t(taken));
  if (running()) drain_backlog();
}

void Console::drain_backlog() {
  std::size_t done = 0;
  Chain chain;
  for (unsigned n = queue(kReceive).available(); n && done < backlog_.size(); --n) {
    if (!queue(kReceive).pop(chain)) break;
    const u64 written = scatter(memory(), chain.writable, 0, ByteSpan(backlog_).subspan(done));
    queue(kReceive).push(chain.head, written);
    done += written;
  }
  backlog_.erase(backlog_.begin(), backlog_.begin() + std::ptrdiff_t(done));
  queue(kReceive).want_doorbell(!backlog_.empty());
  publish(kReceive);
}

void Console::visit_kind(Visitor& v) { v.sized("backlog", backlog_); }

}  // namespace pollux::device::virtio
