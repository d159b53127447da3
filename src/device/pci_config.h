// The configuration space of one PCI function: 256 bytes, which of their bits the guest can write, memory base
// address registers (BARs) and the list of capabilities. Built once by the function's constructor, then read and
// written by the guest through PciBus.
//
// Invariants
//  1. A BAR's size is a power of two, at least 4 KiB, and its address is a multiple of the size.
//  2. Writing all ones to a BAR and reading it gives the size (PCI 3.0, 6.2.5.1); it decodes whatever was written
//     while the command register enables memory.
//  3. Only visited state changes after construction; bar addresses are derived from it.
// Source: PCI Local Bus Specification 3.0, chapter 6.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "base/visit.h"

namespace pollux::device {

enum class BarWidth : u8 { k32, k64 };  // a 64-bit BAR takes two registers

struct PciIdentity {
  u16 vendor = 0;
  u16 device = 0;
  u32 class_code = 0;  // base class, subclass, interface: 24 bits
  u8 revision = 0;
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
};

class PciConfig {
 public:
  static constexpr unsigned kBars = 6;
  static constexpr u8 kCommand = 0x04;
  static constexpr u16 kCommandMemory = 1 << 1;
  static constexpr u16 kCommandMaster = 1 << 2;

  explicit PciConfig(const PciIdentity& identity);

  // Declares memory BAR number index (and index + 1 for 64 bits).
  void add_bar(unsigned index, u64 size, BarWidth width);
  // Appends a capability: its id, then body after the id and the next pointer; writable: which bits of the body the
  // guest can write (shorter than the body: the rest read-only). Returns the capability's offset.
  u8 add_capability(u8 id, ByteSpan body, ByteSpan writable = {});

  // offset + size stay within an aligned dword.
  u32 read(u8 offset, unsigned size) const;
  void write(u8 offset, unsigned size, u32 value);

  // What firmware does: gives each BAR an address. size_of_bar is 0 for one that does not exist.
  u64 size_of_bar(unsigned index) const { return bars_[index].size; }
  void place_bar(unsigned index, u64 address);
  void enable_memory_and_master();
  bool master() const;

  struct BarOffset {
    unsigned bar;
    u64 offset;
  };
  // Which BAR decodes address now.
  std::optional<BarOffset> decode(u64 address) const;

  void visit(Visitor& v);

 private:
  struct Bar {
    u64 size = 0;
    BarWidth width = BarWidth::k32;
    u64 address = 0;  // derived from bytes_
  };
  template <class T>
  void put(unsigned offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  template <class T>
  void allow(unsigned offset, T bits) {
    std::memcpy(writable_.data() + offset, &bits, sizeof bits);
  }
  template <class T>
  T get(unsigned offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  void derive();

  std::array<u8, 256> bytes_{};
  std::array<u8, 256> writable_{};  // fixed after construction
  std::array<Bar, kBars> bars_{};
  u8 last_capability_ = 0;
  unsigned capabilities_end_ = 0x40;
  bool memory_enabled_ = false;  // derived
};

}  // namespace pollux::device
