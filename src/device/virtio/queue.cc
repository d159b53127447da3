#include "device/virtio/queue.h"

#include <algorithm>

namespace pollux::device::virtio {
namespace {

// Descriptor flags (2.7.5).
constexpr u16 kNext = 1;
constexpr u16 kWrite = 2;
constexpr u16 kIndirect = 4;
constexpr u64 kDescriptorBytes = 16;

// Available ring: flags, index, size entries of u16, used_event. Used ring: flags, index, size entries of
// {u32 id, u32 length}, avail_event.
constexpr u16 kNoInterrupt = 1;
constexpr u16 kNoDoorbell = 1;
constexpr u64 kIndex = 2;
constexpr u64 kEntries = 4;

// 2.7.7.2: whether moving the index from old to now passes event.
bool passes(u16 event, u16 now, u16 old) { return u16(now - event - 1) < u16(now - old); }

}  // namespace

void Queue::set_size(u16 size) {
  if (!enabled_ && size && size <= max_size_ && (size & (size - 1)) == 0) size_ = size;
}

void Queue::reset() {
  size_ = max_size_;
  enabled_ = broken_ = event_index_ = false;
  descriptors_ = driver_ = device_ = 0;
  next_available_ = used_ = published_ = 0;
}

bool Queue::areas_fit() const {
  using memory::PhysAddr;
  return descriptors_ % 16 == 0 && driver_ % 2 == 0 && device_ % 4 == 0 &&
         memory_.contains(PhysAddr(descriptors_), size_ * kDescriptorBytes) &&
         memory_.contains(PhysAddr(driver_), kEntries + size_ * 2 + 2) &&
         memory_.contains(PhysAddr(device_), kEntries + size_ * 8 + 2);
}

unsigned Queue::available() {
  if (!enabled_ || broken_) return 0;
  u16 index = 0;
  if (!areas_fit() || !load(driver_ + kIndex, index)) return fail();
  const u16 waiting = u16(index - next_available_);
  if (waiting > size_) return fail();
  return waiting;
}

bool Queue::pop(Chain& chain) {
  chain.readable.clear();
  chain.writable.clear();
  chain.readable_bytes = chain.writable_bytes = 0;
  if (available() == 0) return false;
  if (!load(driver_ + kEntries + (next_available_ % size_) * 2, chain.head)) return fail();
  if (!walk(chain, descriptors_, size_, chain.head, true)) return fail();
  ++next_available_;
  return true;
}

bool Queue::walk(Chain& chain, u64 table, u32 entries, u32 first, bool indirect_allowed) {
  u32 index = first;
  // A chain cannot be longer than its table: one that is has a loop.
  for (u32 steps = 0; steps < entries; ++steps) {
    Descriptor descriptor;
    if (index >= entries || !load(table + index * kDescriptorBytes, descriptor)) return false;
    if (descriptor.flags & kIndirect) {
      const bool whole = descriptor.length && descriptor.length % kDescriptorBytes == 0;
      if (!indirect_allowed || (descriptor.flags & kNext) || !whole) return false;
      const u32 inner = descriptor.length / kDescriptorBytes;
      if (inner > 0x10000 || !memory_.contains(memory::PhysAddr(descriptor.at), descriptor.length)) return false;
      return walk(chain, descriptor.at, inner, 0, false);
    }
    if (!append(chain, descriptor)) return false;
    if (!(descriptor.flags & kNext)) return true;
    index = descriptor.next;
  }
  return false;
}

bool Queue::append(Chain& chain, const Descriptor& descriptor) {
  const bool write = descriptor.flags & kWrite;
  if (!write && !chain.writable.empty()) return false;
  if (chain.readable.size() + chain.writable.size() >= kMaxSegments) return false;
  const Segment segment{memory::PhysAddr(descriptor.at), descriptor.length};
  if (!memory_.contains(segment.at, segment.length)) return false;
  u64& bytes = write ? chain.writable_bytes : chain.readable_bytes;
  bytes += segment.length;
  if (chain.readable_bytes + chain.writable_bytes > 0xffff'ffff) return false;
  (write ? chain.writable : chain.readable).push_back(segment);
  return true;
}

void Queue::push(u16 head, u64 written) {
  if (!enabled_ || broken_) return;
  const u64 entry = device_ + kEntries + (used_ % size_) * 8;
  if (!store(entry, u64{head} | std::min<u64>(written, 0xffff'ffff) << 32)) {
    fail();
    return;
  }
  ++used_;
}

bool Queue::publish() {
  if (!enabled_ || broken_ || used_ == published_) return false;
  const u16 old = published_;
  published_ = used_;
  if (!store(device_ + kIndex, used_)) return fail();
  u16 wish = 0;
  if (event_index_) {
    return load(driver_ + kEntries + size_ * 2, wish) && passes(wish, used_, old);
  }
  return load(driver_, wish) && !(wish & kNoInterrupt);
}

void Queue::want_doorbell(bool want) {
  if (!enabled_ || broken_) return;
  if (!areas_fit()) {
    fail();
    return;
  }
  if (!event_index_) {
    store(device_, u16(want ? 0 : kNoDoorbell));
    return;
  }
  u16 seen = 0;
  load(driver_ + kIndex, seen);
  // "Not wanted" is an index that the driver has just passed.
  store(device_ + kEntries + size_ * 8, u16(want ? seen : seen - 1));
}

void Queue::visit(Visitor& v) {
  v.field("size", size_);
  v.field("enabled", enabled_);
  v.field("broken", broken_);
  v.field("event_index", event_index_);
  v.field("descriptors", descriptors_);
  v.field("driver", driver_);
  v.field("device", device_);
  v.field("next_available", next_available_);
  v.field("used", used_);
  v.field("published", published_);
}

u64 gather(const memory::GuestMemory& memory, const std::vector<Segment>& from, u64 skip, std::span<std::byte> to) {
  u64 done = 0;
  for (const Segment& segment : from) {
    if (skip >= segment.length) {
      skip -= segment.length;
      continue;
    }
    const u64 part = std::min(segment.length - skip, to.size() - done);
    if (!memory.read(segment.at + skip, to.subspan(done, part))) break;
    done += part;
    skip = 0;
    if (done == to.size()) break;
  }
  return done;
}

u64 scatter(memory::GuestMemory& memory, const std::vector<Segment>& to, u64 skip, ByteSpan from) {
  u64 done = 0;
  for (const Segment& segment : to) {
    if (skip >= segment.length) {
      skip -= segment.length;
      continue;
    }
    const u64 part = std::min(segment.length - skip, from.size() - done);
    if (!memory.write(segment.at + skip, from.subspan(done, part))) break;
    done += part;
    skip = 0;
    if (done == from.size()) break;
  }
  return done;
}

}  // namespace pollux::device::virtio
