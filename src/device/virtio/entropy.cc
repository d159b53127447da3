#include "device/virtio/entropy.h"

#include <algorithm>

namespace pollux::device::virtio {
namespace {

constexpr Kind kKind{.type = 4, .class_code = 0x00ff00, .queues = 1, .queue_size = 8, .config_bytes = 0};

}  // namespace

Entropy::Entropy(Host& the_host, MessageSink& messages) : Device(the_host, messages, kKind, "the entropy device") {}

void Entropy::fill(ByteSpan bytes) {
  const std::size_t taken = std::min(bytes.size(), kMost - std::min(kMost, pool_.size()));
  pool_.insert(pool_.end(), bytes.begin(), bytes.begin() + std::ptrdiff_t(taken));
  if (running()) on_doorbell(0);
}

void Entropy::on_doorbell(unsigned) {
  std::size_t done = 0;
  Chain chain;
  for (unsigned n = queue(0).available(); n && done < pool_.size(); --n) {
    if (!queue(0).pop(chain)) break;
    const u64 written = scatter(memory(), chain.writable, 0, ByteSpan(pool_).subspan(done));
    queue(0).push(chain.head, written);
    done += written;
  }
  pool_.erase(pool_.begin(), pool_.begin() + std::ptrdiff_t(done));
  queue(0).want_doorbell(true);
  publish(0);
}

void Entropy::visit_kind(Visitor& v) { v.sized("pool", pool_); }

}  // namespace pollux::device::virtio
