#include "device/pci_msix.h"

#include "base/check.h"

namespace pollux::device {
namespace {

constexpr u8 kCapabilityId = 0x11;
constexpr u16 kEnable = 1 << 15;
constexpr u16 kFunctionMask = 1 << 14;
constexpr u32 kVectorMask = 1;
// Words of a table entry.
constexpr unsigned kAddressLow = 0, kAddressHigh = 1, kData = 2, kControl = 3, kWords = 4;

}  // namespace

Msix::Msix(PciConfig& config, MessageSink& messages, unsigned vectors, unsigned bar, u32 table, u32 pending)
    : config_(config), messages_(messages), table_(vectors * kWords), pending_(vectors) {
  POLLUX_CHECK(vectors >= 1 && vectors <= 2048 && table % 8 == 0 && pending % 8 == 0 && bar < 6, "not an MSI-X layout");
  ByteWriter body;
  body.put<u16>(u16(vectors - 1));
  body.put<u32>(table | bar);
  body.put<u32>(pending | bar);
  ByteWriter writable;
  writable.put<u16>(kEnable | kFunctionMask);
  capability_ = config_.add_capability(kCapabilityId, body.bytes(), writable.bytes());
  for (unsigned i = 0; i < vectors; ++i) table_[i * kWords + kControl] = kVectorMask;
}

bool Msix::enabled() const { return control() & kEnable; }

bool Msix::masked(unsigned vector) const {
  return (control() & kFunctionMask) || (table_[vector * kWords + kControl] & kVectorMask);
}

void Msix::raise(unsigned vector) {
  if (vector >= vectors() || !enabled()) return;
  if (masked(vector) || !config_.master()) {
    pending_[vector] = 1;
  } else {
    send(vector);
  }
}

void Msix::send(unsigned vector) {
  const u32* entry = &table_[vector * kWords];
  messages_.message(u64(entry[kAddressHigh]) << 32 | entry[kAddressLow], entry[kData]);
}

void Msix::send_pending() {
  if (!enabled() || !config_.master()) return;
  for (unsigned i = 0; i < vectors(); ++i) {
    if (!pending_[i] || masked(i)) continue;
    pending_[i] = 0;
    send(i);
  }
}

void Msix::config_written() { send_pending(); }

u64 Msix::table_read(u64 offset, unsigned size) const {
  const u64 word = offset / 4;
  if ((size != 4 && size != 8) || offset % size || word + size / 4 > table_.size()) return 0;
  return size == 4 ? table_[word] : table_[word] | u64(table_[word + 1]) << 32;
}

void Msix::table_write(u64 offset, unsigned size, u64 value) {
  const u64 word = offset / 4;
  if ((size != 4 && size != 8) || offset % size || word + size / 4 > table_.size()) return;
  table_[word] = u32(value);
  if (size == 8) table_[word + 1] = u32(value >> 32);
  send_pending();
}

u64 Msix::pending_read(u64 offset, unsigned size) const {
  u64 bits = 0;
  for (u64 i = 0; i < size * 8; ++i) {
    const u64 vector = offset * 8 + i;
    if (vector < pending_.size() && pending_[vector]) bits |= u64{1} << i;
  }
  return bits;
}

void Msix::visit(Visitor& v) {
  // Fixed length: a restore cannot change the number of vectors.
  v.raw("table", std::as_writable_bytes(std::span(table_)));
  v.raw("pending", std::as_writable_bytes(std::span(pending_)));
}

}  // namespace pollux::device
