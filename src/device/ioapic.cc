#include "device/ioapic.h"

namespace pollux::device {
namespace {

constexpr u64 kMasked = 1 << 16, kLevel = 1 << 15, kRemoteIrr = 1 << 14, kStatus = 1 << 12;
constexpr u64 kReadOnly = kRemoteIrr | kStatus;
constexpr u64 kSelect = 0x00, kWindow = 0x10, kEoi = 0x40;
constexpr u32 kVersion = 0x20 | (Ioapic::kPins - 1) << 16;

}  // namespace

Ioapic::Ioapic(InterruptSink& sink, u8 id) : sink_(sink), id_(u32(id) << 24) {
  for (unsigned n = 0; n < kPins; ++n) {
    pins_[n].owner = this;
    pins_[n].number = n;
  }
  entries_.fill(kMasked);
}

void Ioapic::set_pin(unsigned pin, bool raised) {
  const u32 bit = u32{1} << pin;
  const bool was = levels_ & bit;
  if (raised == was) return;
  levels_ ^= bit;
  if (!raised) return;
  if (!(entries_[pin] & kLevel)) pending_ |= bit;
  service(pin);
}

void Ioapic::service(unsigned pin) {
  const u32 bit = u32{1} << pin;
  u64& entry = entries_[pin];
  if (entry & kMasked) return;
  const bool level = entry & kLevel;
  if (level ? !(levels_ & bit) || entry & kRemoteIrr : !(pending_ & bit)) return;
  pending_ &= ~bit;
  InterruptMessage m;
  m.destination = u32(entry >> 56);
  m.logical = entry >> 11 & 1;
  m.delivery = Delivery(entry >> 8 & 7);
  m.vector = u8(entry);
  m.trigger = level ? Trigger::kLevel : Trigger::kEdge;
  if (level) entry |= kRemoteIrr;
  sink_.deliver(m);
}

void Ioapic::end_of_interrupt(u8 vector) {
  for (unsigned pin = 0; pin < kPins; ++pin) {
    u64& entry = entries_[pin];
    if (!(entry & kLevel) || u8(entry) != vector) continue;
    entry &= ~kRemoteIrr;
    service(pin);
  }
}

u32 Ioapic::read_indexed() const {
  switch (index_) {
    case 0: return id_;
    case 1: return kVersion;
    case 2: return id_;  // arbitration
    default: break;
  }
  const u32 word = index_ - 0x10;
  if (index_ < 0x10 || word >= 2 * kPins) return 0;
  return u32(entries_[word / 2] >> (word % 2 * 32));
}

void Ioapic::write_indexed(u32 value) {
  if (index_ == 0) id_ = value & 0x0f00'0000;
  const u32 word = index_ - 0x10;
  if (index_ < 0x10 || word >= 2 * kPins) return;
  u64& entry = entries_[word / 2];
  if (word % 2) {
    entry = (entry & 0xffff'ffff) | u64(value & 0xff00'0000) << 32;
  } else {
    entry = (entry & ~u64{0xffff'ffff} & ~kReadOnly) | (entry & kReadOnly) | (value & 0x1'ffff & ~kReadOnly);
    if (!(entry & kLevel)) entry &= ~kRemoteIrr;  // the way in which old kernels clear a stuck one
  }
  service(word / 2);
}

u64 Ioapic::read(u64 offset, unsigned) {
  if (offset == kSelect) return index_;
  if (offset == kWindow) return read_indexed();
  return 0;
}

void Ioapic::write(u64 offset, unsigned, u64 value) {
  if (offset == kSelect) index_ = value & 0xff;
  if (offset == kWindow) write_indexed(u32(value));
  if (offset == kEoi) end_of_interrupt(u8(value));
}

void Ioapic::visit(Visitor& v) {
  v.field("id", id_);
  v.field("index", index_);
  v.field("levels", levels_);
  v.field("pending", pending_);
  v.field("entries", entries_);
}

}  // namespace pollux::device
