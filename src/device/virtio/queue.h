// A split virtqueue, from the device's side: takes chains of buffers that the driver made available, gives them back
// as used, and says whether the driver wants an interrupt.
//
//   for (unsigned n = queue.available(); n && queue.pop(chain); --n) { ...; queue.push(chain.head, written); }
//   if (queue.publish()) interrupt();
//
// The ring lives in guest memory and the guest may be malicious: every index, address and length is checked.
//
// Invariants
//  1. Work is bounded: available() is read once a round and is at most size; a chain has at most kMaxSegments
//     segments, whole in RAM, and at most 2^32 - 1 bytes.
//  2. After a violation broken() is true: nothing is taken from or written to the ring until reset().
//  3. push() writes ring entries; the driver sees them at publish(), which moves the used index once.
// Source: Virtual I/O Device 1.2, 2.7 (split virtqueues).
#pragma once

#include <vector>

#include "base/visit.h"
#include "memory/guest_memory.h"

namespace pollux::device::virtio {

struct Segment {
  memory::PhysAddr at;
  u64 length = 0;
  bool operator==(const Segment&) const = default;
};

// A descriptor chain: the driver's part first, then the device's part.
struct Chain {
  u16 head = 0;
  std::vector<Segment> readable;  // by the device
  std::vector<Segment> writable;  // by the device
  u64 readable_bytes = 0;
  u64 writable_bytes = 0;
};

class Queue {
 public:
  static constexpr unsigned kMaxSegments = 1024;

  Queue(memory::GuestMemory& memory, u16 max_size) : memory_(memory), max_size_(max_size), size_(max_size) {}

  // ---- what the transport sets; ignored while enabled
  u16 max_size() const { return max_size_; }
  u16 size() const { return size_; }
  void set_size(u16 size);  // a power of two up to max_size; others are ignored
  u64 descriptors() const { return descriptors_; }
  u64 driver_area() const { return driver_; }
  u64 device_area() const { return device_; }
  void set_descriptors(u64 at) { if (!enabled_) descriptors_ = at; }
  void set_driver_area(u64 at) { if (!enabled_) driver_ = at; }
  void set_device_area(u64 at) { if (!enabled_) device_ = at; }
  void enable() { enabled_ = true; }
  bool enabled() const { return enabled_; }
  void use_event_index(bool use) { event_index_ = use; }
  void reset();

  // ---- what a device does
  bool broken() const { return broken_; }
  // Chains that wait, at this moment.
  unsigned available();
  // Takes the next chain. False: none, or the ring broke.
  bool pop(Chain& chain);
  // Gives the last count popped chains back to the ring, untouched.
  void unpop(u16 count) { next_available_ -= count; }
  // Returns a chain of which the device wrote the first written bytes.
  void push(u16 head, u64 written);
  // Shows the pushed chains to the driver. True: it wants an interrupt.
  bool publish();
  // Whether the driver shall ring when it adds to the chains that wait now. To be said after each round, for with
  // event indices it holds once. A hint: the driver may ring all the same.
  void want_doorbell(bool want);

  void visit(Visitor& v);

 private:
  struct Descriptor {
    u64 at;
    u32 length;
    u16 flags;
    u16 next;
  };
  // The ring's areas are aligned and in RAM.
  bool areas_fit() const;
  bool fail() { broken_ = true; return false; }
  bool append(Chain& chain, const Descriptor& descriptor);
  bool walk(Chain& chain, u64 table, u32 entries, u32 first, bool indirect_allowed);
  template <class T>
  bool load(u64 at, T& value) const { return memory_.load(memory::PhysAddr(at), value); }
  template <class T>
  bool store(u64 at, T value) { return memory_.store(memory::PhysAddr(at), value); }

  memory::GuestMemory& memory_;
  const u16 max_size_;
  u16 size_;
  bool enabled_ = false;
  bool broken_ = false;
  bool event_index_ = false;
  u64 descriptors_ = 0;
  u64 driver_ = 0;   // available ring
  u64 device_ = 0;   // used ring
  u16 next_available_ = 0;
  u16 used_ = 0;       // index after the pushed chains
  u16 published_ = 0;  // index that the driver sees
};

// Copies out of and into a chain's segments, from byte skip of the segments on. Both return the bytes copied: fewer
// when the segments end.
u64 gather(const memory::GuestMemory& memory, const std::vector<Segment>& from, u64 skip, std::span<std::byte> to);
u64 scatter(memory::GuestMemory& memory, const std::vector<Segment>& to, u64 skip, ByteSpan from);

}  // namespace pollux::device::virtio
