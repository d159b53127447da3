#include "device/pci.h"

#include "base/check.h"

namespace pollux::device {
namespace {

constexpr u32 kEnable = 1u << 31;
constexpr u32 kAddressBits = 0x80ff'fffc;
constexpr u64 kDataPort = 4;  // 0xcfc, from 0xcf8

// Red Hat's generic host bridge: a device that no driver wants to fix.
constexpr PciIdentity kHostBridge{
    .vendor = 0x1b36, .device = 0x0008, .class_code = 0x060000, .subsystem_vendor = 0x1af4, .subsystem = 0x1100};

}  // namespace

PciBus::HostBridge::HostBridge() : PciFunction(kHostBridge) {}

PciBus::PciBus(u64 window_base, u64 window_end)
    : window_base_(window_base), window_end_(window_end), next_address_(window_base) {
  functions_[0] = &bridge_;
}

void PciBus::add(unsigned device, PciFunction& function) {
  POLLUX_CHECK(device < kDevices && !functions_[device], "this device number is taken");
  functions_[device] = &function;
  decoders_.push_back(&function);
  PciConfig& config = function.config();
  for (unsigned bar = 0; bar < PciConfig::kBars; ++bar) {
    const u64 size = config.size_of_bar(bar);
    if (!size) continue;
    next_address_ = (next_address_ + size - 1) & ~(size - 1);
    POLLUX_CHECK(next_address_ + size <= window_end_, "the PCI window is full");
    config.place_bar(bar, next_address_);
    next_address_ += size;
  }
  config.enable_memory_and_master();
}

PciFunction* PciBus::selected(u64 port, unsigned size) {
  const bool whole = (port & 3) + size <= 4;
  const bool first_function_of_bus_0 = (address_ & 0x00ff'0700) == 0;
  if (!(address_ & kEnable) || !whole || !first_function_of_bus_0) return nullptr;
  return functions_[(address_ >> 11) & 31];
}

u64 PciBus::Ports::read(u64 offset, unsigned size) {
  if (offset < kDataPort) return offset == 0 && size == 4 ? bus.address_ : ~u64{0} >> (64 - 8 * size);
  PciFunction* function = bus.selected(offset, size);
  if (!function) return ~u64{0} >> (64 - 8 * size);
  return function->config_read(u8((bus.address_ & 0xfc) + (offset & 3)), size);
}

void PciBus::Ports::write(u64 offset, unsigned size, u64 value) {
  if (offset < kDataPort) {
    if (offset == 0 && size == 4) bus.address_ = u32(value) & kAddressBits;
    return;
  }
  PciFunction* function = bus.selected(offset, size);
  if (function) function->config_write(u8((bus.address_ & 0xfc) + (offset & 3)), size, u32(value));
}

u64 PciBus::Window::read(u64 offset, unsigned size) {
  for (PciFunction* function : bus.decoders_) {
    if (const auto at = function->config().decode(bus.window_base_ + offset)) {
      return function->bar_read(at->bar, at->offset, size);
    }
  }
  return ~u64{0} >> (64 - 8 * size);
}

void PciBus::Window::write(u64 offset, unsigned size, u64 value) {
  for (PciFunction* function : bus.decoders_) {
    if (const auto at = function->config().decode(bus.window_base_ + offset)) {
      return function->bar_write(at->bar, at->offset, size, value);
    }
  }
}

void PciBus::visit(Visitor& v) {
  v.field("address", address_);
  v.component("bridge", bridge_.config());
}

}  // namespace pollux::device
