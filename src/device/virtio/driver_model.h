// A virtio driver for tests: finds the device's structures through PCI configuration space as a kernel does,
// negotiates, and keeps the driver's half of split virtqueues in guest memory. Used by *_test.cc and *_fuzz.cc only.
#pragma once

#include <map>

#include "device/virtio/device.h"

namespace pollux::device::virtio::test {

// What a device sees of a machine: memory, the outputs it made, the messages it sent.
class FakeMachine final : public Host, public MessageSink {
 public:
  explicit FakeMachine(u64 bytes = 4 << 20) : FakeMachine(memory::heap_region(bytes)) {}
  explicit FakeMachine(memory::Region region) : memory_(std::move(region)) {}
  door::VirtualNs now() const override { return door::VirtualNs(0); }
  void emit(door::Output output) override { outputs.push_back(std::move(output)); }
  void wake_board() override {}
  memory::GuestMemory& memory() override { return memory_; }
  void message(u64 address, u32 data) override { messages.push_back({address, data}); }

  template <class Output>
  std::vector<Output> take() {
    std::vector<Output> found;
    for (const door::Output& output : outputs) {
      if (const auto* one = std::get_if<Output>(&output)) found.push_back(*one);
    }
    outputs.clear();
    return found;
  }
  std::size_t take_interrupts() { return std::exchange(messages, {}).size(); }

  std::vector<door::Output> outputs;
  std::vector<std::pair<u64, u32>> messages;

 private:
  memory::GuestMemory memory_;
};

// The driver's half of one queue. Everything of it lies in guest memory from base on; state of the driver itself is
// plain, so that a copy of it goes on after a restore.
class DriverQueue {
 public:
  struct Buffer {
    u64 at;
    u32 length;
    bool device_writes;
  };
  struct Used {
    u16 head;
    u32 length;
  };

  DriverQueue(memory::GuestMemory& memory, u64 base, u16 size) : memory_(&memory), base_(base), size_(size) {
    for (u16 i = 0; i < size; ++i) free_.push_back(u16(size - 1 - i));
  }

  u16 size() const { return size_; }
  u64 descriptors() const { return base_; }
  u64 available() const { return base_ + size_ * 16u; }
  u64 used() const { return (available() + 6 + size_ * 2u + 3) & ~u64{3}; }
  u64 end() const { return used() + 6 + size_ * 8u; }
  std::size_t free_descriptors() const { return free_.size(); }

  void write_descriptor(u64 table, u16 index, const Buffer& buffer, u16 flags, u16 next) {
    const u64 at = table + index * 16u;
    memory_->store(memory::PhysAddr(at), buffer.at);
    memory_->store(memory::PhysAddr(at + 8), buffer.length);
    memory_->store(memory::PhysAddr(at + 12), u16(flags | (buffer.device_writes ? 2 : 0)));
    memory_->store(memory::PhysAddr(at + 14), next);
  }
  // Makes a chain available (visible at once) and returns its head.
  u16 add(const std::vector<Buffer>& buffers) {
    std::vector<u16> chain;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      chain.push_back(free_.back());
      free_.pop_back();
    }
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const bool last = i + 1 == buffers.size();
      write_descriptor(descriptors(), chain[i], buffers[i], last ? 0 : 1, last ? 0 : chain[i + 1]);
    }
    chains_[chain[0]] = chain;
    offer(chain[0]);
    return chain[0];
  }
  // The same through an indirect table at table.
  u16 add_indirect(u64 table, const std::vector<Buffer>& buffers) {
    for (u16 i = 0; i < buffers.size(); ++i) {
      const bool last = i + 1u == buffers.size();
      write_descriptor(table, i, buffers[i], last ? 0 : 1, u16(i + 1));
    }
    const u16 head = free_.back();
    free_.pop_back();
    write_descriptor(descriptors(), head, {table, u32(buffers.size() * 16), false}, 4, 0);
    chains_[head] = {head};
    offer(head);
    return head;
  }
  // Puts a head in the available ring, whatever it is.
  void offer(u16 head) {
    memory_->store(memory::PhysAddr(available() + 4 + (next_ % size_) * 2u), head);
    ++next_;
    memory_->store(memory::PhysAddr(available() + 2), next_);
  }
  void set_available_index(u16 index) { memory_->store(memory::PhysAddr(available() + 2), next_ = index); }
  u16 available_index() const { return next_; }
  void set_flags(u16 flags) { memory_->store(memory::PhysAddr(available()), flags); }
  void set_used_event(u16 event) { memory_->store(memory::PhysAddr(available() + 4 + size_ * 2u), event); }
  u16 device_event() const { return load<u16>(used() + 4 + size_ * 8u); }
  u16 device_flags() const { return load<u16>(used()); }
  u16 used_index() const { return load<u16>(used() + 2); }

  std::vector<Used> take_used() {
    std::vector<Used> all;
    for (const u16 now = used_index(); seen_ != now; ++seen_) {
      const u64 at = used() + 4 + (seen_ % size_) * 8u;
      const Used one{u16(load<u32>(at)), load<u32>(at + 4)};
      all.push_back(one);
      for (const u16 index : chains_[one.head]) free_.push_back(index);
      chains_.erase(one.head);
    }
    return all;
  }
  void attach(memory::GuestMemory& memory) { memory_ = &memory; }

 private:
  template <class T>
  T load(u64 at) const {
    T value{};
    memory_->load(memory::PhysAddr(at), value);
    return value;
  }

  memory::GuestMemory* memory_;
  u64 base_;
  u16 size_;
  std::vector<u16> free_;
  std::map<u16, std::vector<u16>> chains_;
  u16 next_ = 0;
  u16 seen_ = 0;
};

// The registers of one device on a bus, reached as a kernel reaches them.
class DriverRegisters {
 public:
  static constexpr u64 kWindow = 0xe000'0000;

  DriverRegisters(PciBus& bus, unsigned device) : bus_(&bus), device_(device) {
    const u8 first = u8(config(0x34, 1));
    for (u8 at = first; at; at = u8(config(u8(at + 1), 1))) {
      if (config(at, 1) == 0x11) msix_ = at;
      if (config(at, 1) == 0x09) capabilities_[u8(config(u8(at + 3), 1)) & 7] = at;
    }
    // A kernel maps the structures once.
    const u64 bar = (config(0x10, 4) & ~0xfu) - kWindow;
    for (u8 type = 1; type <= 4; ++type) {
      if (capabilities_[type]) structures_[type] = bar + config(u8(capabilities_[type] + 8), 4);
    }
    msix_table_ = bar + (config(u8(msix_ + 4), 4) & ~7u);
  }

  u32 config(u8 offset, unsigned size) {
    bus_->config_ports().write(0, 4, 0x8000'0000 | device_ << 11 | (offset & 0xfc));
    return u32(bus_->config_ports().read(4 + (offset & 3), size));
  }
  void set_config(u8 offset, unsigned size, u32 value) {
    bus_->config_ports().write(0, 4, 0x8000'0000 | device_ << 11 | (offset & 0xfc));
    bus_->config_ports().write(4 + (offset & 3), size, value);
  }
  u8 capability(u8 type) const { return capabilities_[type]; }
  u8 msix() const { return msix_; }
  // Offset in the window of a structure.
  u64 structure(u8 type) const { return structures_[type]; }
  u64 msix_table() const { return msix_table_; }
  u64 read(u64 offset, unsigned size) { return bus_->window().read(offset, size); }
  void write(u64 offset, unsigned size, u64 value) { bus_->window().write(offset, size, value); }
  u64 common(u64 offset, unsigned size) { return read(structure(1) + offset, size); }
  void set_common(u64 offset, unsigned size, u64 value) { write(structure(1) + offset, size, value); }
  u64 device_config(u64 offset, unsigned size) { return read(structure(4) + offset, size); }

  u64 offered() {
    set_common(0, 4, 0);
    u64 bits = common(4, 4);
    set_common(0, 4, 1);
    return bits | common(4, 4) << 32;
  }
  u8 status() { return u8(common(0x14, 1)); }
  void set_status(u8 status) { set_common(0x14, 1, status); }
  void set_features(u64 features) {
    set_common(8, 4, 0);
    set_common(0xc, 4, u32(features));
    set_common(8, 4, 1);
    set_common(0xc, 4, features >> 32);
  }
  // Reset, acknowledge, features. True: the device took them.
  bool negotiate(u64 features) {
    set_status(0);
    set_status(kAcknowledge | kDriver);
    set_features(features);
    set_status(kAcknowledge | kDriver | kFeaturesOk);
    return status() & kFeaturesOk;
  }
  void enable_msix() {
    for (u32 vector = 0; vector <= common(0x12, 2); ++vector) {
      write(msix_table() + vector * 16, 4, 0xfee0'0000);
      write(msix_table() + vector * 16 + 8, 4, 0x40 + vector);
      write(msix_table() + vector * 16 + 12, 4, 0);
    }
    set_config(u8(msix_ + 2), 2, 0x8000);
    set_common(0x10, 2, 0);
  }
  // Queue i gets vector i + 1; 0 is the configuration's.
  void enable_queue(u16 index, const DriverQueue& queue) {
    set_common(0x16, 2, index);
    set_common(0x18, 2, queue.size());
    set_common(0x1a, 2, index + 1u);
    set_common(0x20, 4, u32(queue.descriptors()));
    set_common(0x24, 4, queue.descriptors() >> 32);
    set_common(0x28, 8, queue.available());
    set_common(0x30, 8, queue.used());
    set_common(0x1c, 2, 1);
  }
  void driver_ok() { set_status(kAcknowledge | kDriver | kFeaturesOk | kDriverOk); }
  void ring(u16 index) { write(structure(2) + index * 4u, 2, index); }

  void attach(PciBus& bus) { bus_ = &bus; }

 private:
  PciBus* bus_;
  u32 device_;
  u8 msix_ = 0;
  u64 msix_table_ = 0;
  std::array<u8, 8> capabilities_{};
  std::array<u64, 8> structures_{};
};

}  // namespace pollux::device::virtio::test
