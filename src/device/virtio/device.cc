#include "device/virtio/device.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::device::virtio {
namespace {

constexpr u16 kVendor = 0x1af4;
constexpr u16 kDeviceBase = 0x1040;
constexpr u8 kRevision = 1;

// virtio_pci_cap (4.1.4): id and next, then these bytes.
constexpr u8 kVendorCapability = 0x09;
constexpr u8 kCapCommon = 1, kCapNotify = 2, kCapIsr = 3, kCapDevice = 4, kCapPciConfig = 5;
constexpr unsigned kCapBar = 4, kCapOffset = 8, kCapLength = 12, kCapData = 16, kCapPciConfigEnd = 20;

// virtio_pci_common_cfg (4.1.4.3).
constexpr u64 kDeviceFeatureSelect = 0x00, kDriverFeatureSelect = 0x08, kDriverFeature = 0x0c, kConfigVector = 0x10,
              kDeviceStatus = 0x14, kQueueSelect = 0x16, kQueueSize = 0x18, kQueueVector = 0x1a, kQueueEnable = 0x1c,
              kQueueDescriptors = 0x20, kQueueEnd = 0x38, kCommonBytes = 0x38;

constexpr u8 kIsrQueue = 1, kIsrConfig = 2;

Bytes capability(u8 type, u32 offset, u32 length) {
  const u8 bytes = type == kCapNotify || type == kCapPciConfig ? 20 : 16;
  ByteWriter body;
  body.put<u8>(bytes);
  body.put<u8>(type);
  body.put<u32>(kBar);  // bar, id, two bytes of padding
  body.put<u32>(offset);
  body.put<u32>(length);
  if (type == kCapNotify) body.put<u32>(kNotifyStride);
  if (type == kCapPciConfig) body.put<u32>(0);
  return body.take();
}

u64 all_ones(unsigned size) { return ~u64{0} >> (64 - 8 * size); }

u64 slice(ByteSpan bytes, u64 offset, unsigned size) {
  u64 value = 0;
  if (offset + size <= bytes.size()) std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

}  // namespace

Device::Device(Host& host, MessageSink& messages, const Kind& kind, std::string name)
    : PciFunction({.vendor = kVendor,
                   .device = u16(kDeviceBase + kind.type),
                   .class_code = kind.class_code,
                   .revision = kRevision,
                   .subsystem_vendor = kVendor,
                   .subsystem = u16(kDeviceBase + kind.type)}),
      host_(host),
      name_(std::move(name)),
      msix_(config(), messages, kind.queues + 1u, kBar, kTableAt, kPendingAt),
      queue_vectors_(kind.queues, kNoVector) {
  POLLUX_CHECK(kind.queues && kind.queue_size && (kind.queue_size & (kind.queue_size - 1)) == 0, "not a queue's size");
  queues_.reserve(kind.queues);
  for (u16 i = 0; i < kind.queues; ++i) queues_.emplace_back(host.memory(), kind.queue_size);
  add_capabilities(kind);
}

void Device::add_capabilities(const Kind& kind) {
  config().add_bar(kBar, kBarBytes, BarWidth::k64);
  config().add_capability(kVendorCapability, capability(kCapCommon, kCommonAt, kCommonBytes));
  config().add_capability(kVendorCapability, capability(kCapNotify, kNotifyAt, kind.queues * kNotifyStride));
  config().add_capability(kVendorCapability, capability(kCapIsr, kIsrAt, 1));
  if (kind.config_bytes) {
    config().add_capability(kVendorCapability, capability(kCapDevice, kDeviceAt, kind.config_bytes));
  }
  Bytes writable(18);  // counted after id and next
  for (unsigned i = kCapOffset; i < kCapPciConfigEnd; ++i) writable[i - 2] = std::byte{0xff};
  writable[kCapBar - 2] = std::byte{0xff};
  window_capability_ = config().add_capability(kVendorCapability, capability(kCapPciConfig, 0, 0), writable);
}

// ---- configuration space: the window capability reaches the BAR without memory accesses (4.1.4.9)

u32 Device::config_read(u8 offset, unsigned size) {
  if (offset / 4 == (window_capability_ + kCapData) / 4) {
    const unsigned bar = config().read(u8(window_capability_ + kCapBar), 1);
    const u32 at = config().read(u8(window_capability_ + kCapOffset), 4);
    const u32 length = config().read(u8(window_capability_ + kCapLength), 4);
    if ((length == 1 || length == 2 || length == 4) && at % length == 0) {
      config().write(u8(window_capability_ + kCapData), 4, u32(bar_read(bar, at, length)));
    }
  }
  return config().read(offset, size);
}

void Device::config_write(u8 offset, unsigned size, u32 value) {
  config().write(offset, size, value);
  msix_.config_written();
  if (offset / 4 != (window_capability_ + kCapData) / 4) return;
  const unsigned bar = config().read(u8(window_capability_ + kCapBar), 1);
  const u32 at = config().read(u8(window_capability_ + kCapOffset), 4);
  const u32 length = config().read(u8(window_capability_ + kCapLength), 4);
  if ((length != 1 && length != 2 && length != 4) || at % length) return;
  bar_write(bar, at, length, config().read(u8(window_capability_ + kCapData), 4) & all_ones(length));
}

// ---- the BAR

u64 Device::bar_read(unsigned bar, u64 offset, unsigned size) {
  if (bar != kBar || offset + size > kBarBytes) return all_ones(size);
  const u64 at = offset & 0xfff;
  switch (offset & ~u64{0xfff}) {
    case kCommonAt: return read_common(at, size);
    case kIsrAt: return at == 0 ? std::exchange(isr_, u8{0}) : 0;
    case kDeviceAt: return slice(configuration(), at, size);
    case kTableAt: return msix_.table_read(at, size);
    case kPendingAt: return msix_.pending_read(at, size);
    default: return 0;
  }
}

void Device::bar_write(unsigned bar, u64 offset, unsigned size, u64 value) {
  if (bar != kBar || offset + size > kBarBytes) return;
  const u64 at = offset & 0xfff;
  switch (offset & ~u64{0xfff}) {
    case kCommonAt: return write_common(at, size, value);
    case kNotifyAt: return ring(at / kNotifyStride);
    case kTableAt: return msix_.table_write(at, size, value);
    default: return;
  }
}

u64 Device::read_common(u64 offset, unsigned size) const {
  ByteWriter out;
  out.put<u32>(device_feature_select_);
  out.put<u32>(device_feature_select_ < 2 ? u32(all_offered() >> (32 * device_feature_select_)) : 0);
  out.put<u32>(driver_feature_select_);
  out.put<u32>(driver_feature_select_ < 2 ? u32(driver_features_ >> (32 * driver_feature_select_)) : 0);
  out.put<u16>(config_vector_);
  out.put<u16>(u16(queues_.size()));
  out.put<u8>(status_);
  out.put<u8>(generation_);
  out.put<u16>(queue_select_);
  if (queue_select_ < queues_.size()) {
    const Queue& selected = queues_[queue_select_];
    out.put<u16>(selected.size());
    out.put<u16>(queue_vectors_[queue_select_]);
    out.put<u16>(selected.enabled());
    out.put<u16>(queue_select_);  // notify offset, in strides
    out.put<u64>(selected.descriptors());
    out.put<u64>(selected.driver_area());
    out.put<u64>(selected.device_area());
  } else {
    // Size 0: there is no such queue.
    out.put_bytes(Bytes(kCommonBytes - kQueueSize));
  }
  return slice(out.bytes(), offset, size);
}

void Device::write_common(u64 offset, unsigned size, u64 value) {
  if (size == 8) {
    write_common(offset, 4, u32(value));
    write_common(offset + 4, 4, value >> 32);
    return;
  }
  if (offset >= kQueueDescriptors && offset < kQueueEnd && size == 4) return write_queue_address(offset, u32(value));
  const bool queue_exists = queue_select_ < queues_.size();
  switch (offset) {
    case kDeviceFeatureSelect: if (size == 4) device_feature_select_ = u32(value); return;
    case kDriverFeatureSelect: if (size == 4) driver_feature_select_ = u32(value); return;
    case kDriverFeature: if (size == 4) set_driver_features(u32(value)); return;
    case kConfigVector: if (size == 2) config_vector_ = checked_vector(u16(value)); return;
    case kDeviceStatus: if (size == 1) set_status(u8(value)); return;
    case kQueueSelect: if (size == 2) queue_select_ = u16(value); return;
    case kQueueSize: if (size == 2 && queue_exists) queues_[queue_select_].set_size(u16(value)); return;
    case kQueueVector: if (size == 2 && queue_exists) queue_vectors_[queue_select_] = checked_vector(u16(value)); return;
    case kQueueEnable:
      if (size == 2 && value == 1 && queue_exists && (status_ & kFeaturesOk)) queues_[queue_select_].enable();
      return;
    default: return;
  }
}

void Device::write_queue_address(u64 offset, u32 value) {
  if (offset % 4 || queue_select_ >= queues_.size()) return;
  Queue& selected = queues_[queue_select_];
  const bool high = offset & 4;
  const auto merged = [&](u64 old) {
    return high ? (old & 0xffff'ffff) | u64(value) << 32 : (old & ~u64{0xffff'ffff}) | value;
  };
  switch ((offset - kQueueDescriptors) / 8) {
    case 0: return selected.set_descriptors(merged(selected.descriptors()));
    case 1: return selected.set_driver_area(merged(selected.driver_area()));
    default: return selected.set_device_area(merged(selected.device_area()));
  }
}

void Device::set_driver_features(u32 value) {
  if ((status_ & kFeaturesOk) || driver_feature_select_ > 1) return;
  const unsigned shift = 32 * driver_feature_select_;
  driver_features_ = (driver_features_ & ~(u64{0xffff'ffff} << shift)) | u64(value) << shift;
}

void Device::set_status(u8 value) {
  if (value == 0) return reset();
  // The driver sets bits one after the other and clears them only by a reset.
  u8 next = status_ | (value & (kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed));
  const bool acceptable = (driver_features_ & ~all_offered()) == 0 && (driver_features_ & kVersion1);
  if (!(status_ & kFeaturesOk) && !acceptable) next &= u8(~kFeaturesOk);
  if (!(next & kFeaturesOk)) next &= u8(~kDriverOk);
  const bool becomes_ready = (next & ~status_) & kDriverOk;
  if ((next & ~status_) & kFeaturesOk) {
    for (Queue& each : queues_) each.use_event_index(negotiated(kEventIndex));
  }
  status_ = next;
  if (!becomes_ready) return;
  for (u64 i = 0; i < queues_.size(); ++i) ring(i);
}

void Device::ring(u64 index) {
  if (!running() || index >= queues_.size() || !queues_[index].enabled()) return;
  on_doorbell(unsigned(index));
  if (queues_[index].broken()) need_reset();
}

void Device::reset() {
  for (Queue& each : queues_) each.reset();
  std::ranges::fill(queue_vectors_, kNoVector);
  driver_features_ = 0;
  device_feature_select_ = driver_feature_select_ = 0;
  config_vector_ = kNoVector;
  queue_select_ = 0;
  status_ = 0;
  isr_ = 0;
  on_reset();
}

void Device::need_reset() {
  if (status_ & kNeedsReset) return;
  const bool tell = status_ & kDriverOk;
  status_ |= kNeedsReset;
  if (tell) interrupt(config_vector_, kIsrConfig);
  if (!complained_) {
    complained_ = true;
    host_.emit(door::OperatorOutput{"the guest's driver broke a rule of virtio on " + name_ +
                                    ": the device waits for a reset by the guest"});
  }
}

void Device::publish(unsigned index) {
  if (!running()) return;
  if (queues_[index].publish()) interrupt(queue_vectors_[index], kIsrQueue);
  if (queues_[index].broken()) need_reset();
}

void Device::configuration_changed() {
  ++generation_;
  if (status_ & kDriverOk) interrupt(config_vector_, kIsrConfig);
}

void Device::interrupt(u16 vector, u8 isr_bit) {
  if (!msix_.enabled()) {
    isr_ |= isr_bit;  // seen only by a driver that polls: there is no INTx
  } else if (vector != kNoVector) {
    msix_.raise(vector);
  }
}

void Device::visit(Visitor& v) {
  v.component("pci", config());
  v.component("msix", msix_);
  for (Queue& each : queues_) v.component("queue", each);
  v.raw("queue_vectors", std::as_writable_bytes(std::span(queue_vectors_)));
  v.field("driver_features", driver_features_);
  v.field("device_feature_select", device_feature_select_);
  v.field("driver_feature_select", driver_feature_select_);
  v.field("config_vector", config_vector_);
  v.field("queue_select", queue_select_);
  v.field("status", status_);
  v.field("generation", generation_);
  v.field("isr", isr_);
  v.field("complained", complained_);
  visit_kind(v);
}

}  // namespace pollux::device::virtio
