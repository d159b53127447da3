#include "device/pci_config.h"

#include "base/check.h"

namespace pollux::device {
namespace {

constexpr unsigned kStatus = 0x06;
constexpr u16 kStatusCapabilities = 1 << 4;
constexpr unsigned kBar0 = 0x10;
constexpr unsigned kCapabilitiesPointer = 0x34;
constexpr unsigned kInterruptLine = 0x3c;
constexpr u32 kBarType64 = 0b100;
constexpr u16 kCommandInterruptDisable = 1 << 10;

}  // namespace

PciConfig::PciConfig(const PciIdentity& identity) {
  put<u16>(0x00, identity.vendor);
  put<u16>(0x02, identity.device);
  put<u32>(0x08, identity.class_code << 8 | identity.revision);
  put<u16>(0x2c, identity.subsystem_vendor);
  put<u16>(0x2e, identity.subsystem);
  allow<u16>(kCommand, kCommandMemory | kCommandMaster | kCommandInterruptDisable);
  allow<u8>(0x0c, 0xff);  // cache line size: kept, without effect
  allow<u8>(kInterruptLine, 0xff);
}

void PciConfig::add_bar(unsigned index, u64 size, BarWidth width) {
  POLLUX_CHECK(size >= 4096 && (size & (size - 1)) == 0, "a BAR's size is a power of two");
  POLLUX_CHECK(index + (width == BarWidth::k64) < kBars && !bars_[index].size, "no such BAR");
  bars_[index] = {size, width, 0};
  allow<u32>(kBar0 + 4 * index, u32(~(size - 1)));
  if (width == BarWidth::k64) {
    put<u32>(kBar0 + 4 * index, kBarType64);
    allow<u32>(kBar0 + 4 * index + 4, u32(~(size - 1) >> 32));
  }
}

u8 PciConfig::add_capability(u8 id, ByteSpan body, ByteSpan writable) {
  const unsigned at = capabilities_end_;
  POLLUX_CHECK(at + 2 + body.size() <= bytes_.size() && writable.size() <= body.size(), "capability does not fit");
  bytes_[at] = id;
  std::memcpy(bytes_.data() + at + 2, body.data(), body.size());
  if (!writable.empty()) std::memcpy(writable_.data() + at + 2, writable.data(), writable.size());
  bytes_[last_capability_ ? last_capability_ + 1u : kCapabilitiesPointer] = u8(at);
  put<u16>(kStatus, get<u16>(kStatus) | kStatusCapabilities);
  last_capability_ = u8(at);
  capabilities_end_ = (at + 2 + unsigned(body.size()) + 3) & ~3u;
  return u8(at);
}

u32 PciConfig::read(u8 offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u32(bytes_[(offset + i) & 0xff]) << (8 * i);
  return value;
}

void PciConfig::write(u8 offset, unsigned size, u32 value) {
  for (unsigned i = 0; i < size; ++i) {
    const unsigned at = (offset + i) & 0xff;
    bytes_[at] = u8((bytes_[at] & ~writable_[at]) | (u8(value >> (8 * i)) & writable_[at]));
  }
  derive();
}

void PciConfig::place_bar(unsigned index, u64 address) {
  const Bar& bar = bars_[index];
  POLLUX_CHECK(bar.size && address % bar.size == 0, "a BAR's address is a multiple of its size");
  const u64 type = bar.width == BarWidth::k64 ? kBarType64 : 0;
  put<u32>(kBar0 + 4 * index, u32(address | type));
  if (bar.width == BarWidth::k64) put<u32>(kBar0 + 4 * index + 4, u32(address >> 32));
  derive();
}

void PciConfig::enable_memory_and_master() {
  put<u16>(kCommand, get<u16>(kCommand) | kCommandMemory | kCommandMaster);
  derive();
}

bool PciConfig::master() const { return get<u16>(kCommand) & kCommandMaster; }

std::optional<PciConfig::BarOffset> PciConfig::decode(u64 address) const {
  if (!memory_enabled_) return std::nullopt;
  for (unsigned i = 0; i < kBars; ++i) {
    if (address - bars_[i].address < bars_[i].size) return BarOffset{i, address - bars_[i].address};
  }
  return std::nullopt;
}

void PciConfig::derive() {
  memory_enabled_ = get<u16>(kCommand) & kCommandMemory;
  for (unsigned i = 0; i < kBars; ++i) {
    Bar& bar = bars_[i];
    if (!bar.size) continue;
    bar.address = get<u32>(kBar0 + 4 * i) & ~u64{0xf};
    if (bar.width == BarWidth::k64) bar.address |= u64(get<u32>(kBar0 + 4 * i + 4)) << 32;
  }
}

void PciConfig::visit(Visitor& v) {
  v.raw("config", std::as_writable_bytes(std::span(bytes_)));
  if (v.restoring()) derive();
}

}  // namespace pollux::device
