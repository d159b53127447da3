// A virtio 1.x device on PCI: what all kinds share. Registers, feature negotiation, status, queues, interrupts.
//
// A kind (Block, Net, Console, Entropy) derives from it and says which features it offers, what its configuration
// holds and what a doorbell means. Everything happens inside the guest's access or inside the delivery of an input,
// so a device is a function of both.
//
// Invariants
//  1. No ring is touched before DRIVER_OK, nor after needs_reset() until the driver resets the device.
//  2. Features are fixed at FEATURES_OK, which stays clear when the driver asks for more than is offered or for less
//     than VERSION_1.
//  3. A driver that breaks a ring costs itself the device (DEVICE_NEEDS_RESET), never the host.
//
// Not here: the legacy interface, INTx, packed rings.
// Source: Virtual I/O Device 1.2, chapters 2, 3 and 4.1.
#pragma once

#include <string>

#include "device/pci.h"
#include "device/pci_msix.h"
#include "device/virtio/queue.h"

namespace pollux::device::virtio {

// Feature bits that are not of one kind (6).
inline constexpr u64 kIndirectDescriptors = u64{1} << 28;
inline constexpr u64 kEventIndex = u64{1} << 29;
inline constexpr u64 kVersion1 = u64{1} << 32;

// Status bits (2.1).
inline constexpr u8 kAcknowledge = 1;
inline constexpr u8 kDriver = 2;
inline constexpr u8 kDriverOk = 4;
inline constexpr u8 kFeaturesOk = 8;
inline constexpr u8 kNeedsReset = 64;
inline constexpr u8 kFailed = 128;

inline constexpr u16 kNoVector = 0xffff;

// The device's one BAR, a page for each structure.
//   0x0000 common configuration   0x1000 interrupt status   0x2000 the kind's configuration
//   0x3000 doorbells, 4 bytes a queue   0x4000 MSI-X table   0x5000 MSI-X pending bits
inline constexpr unsigned kBar = 0;
inline constexpr u64 kBarBytes = 0x8000;
inline constexpr u32 kCommonAt = 0x0000, kIsrAt = 0x1000, kDeviceAt = 0x2000, kNotifyAt = 0x3000, kTableAt = 0x4000,
                     kPendingAt = 0x5000;
inline constexpr u32 kNotifyStride = 4;

struct Kind {
  u16 type = 0;        // virtio device id
  u32 class_code = 0;  // PCI class
  u16 queues = 0;
  u16 queue_size = 0;
  u32 config_bytes = 0;
};

class Device : public PciFunction {
 public:
  // What the driver has negotiated and where it stands; for tests and reports.
  u8 status() const { return status_; }

  void visit(Visitor& v);

  u32 config_read(u8 offset, unsigned size) final;
  void config_write(u8 offset, unsigned size, u32 value) final;
  u64 bar_read(unsigned bar, u64 offset, unsigned size) final;
  void bar_write(unsigned bar, u64 offset, unsigned size, u64 value) final;

 protected:
  // name: for the operator, e.g. "disk 0".
  Device(Host& host, MessageSink& messages, const Kind& kind, std::string name);

  // ---- what a kind says
  // Its own feature bits (those above are added).
  virtual u64 offered() const = 0;
  // Its configuration, kind.config_bytes long.
  virtual Bytes configuration() const = 0;
  // The driver rang queue number queue, or became ready: take what is available.
  virtual void on_doorbell(unsigned queue) = 0;
  // The driver reset the device: forget what it asked for.
  virtual void on_reset() = 0;
  virtual void visit_kind(Visitor& v) = 0;

  // ---- what a kind uses
  Host& host() { return host_; }
  memory::GuestMemory& memory() { return host_.memory(); }
  Queue& queue(unsigned index) { return queues_[index]; }
  bool running() const { return (status_ & (kDriverOk | kNeedsReset)) == kDriverOk; }
  bool negotiated(u64 feature) const { return driver_features_ & feature; }
  // Shows the used chains of a queue to the driver, with an interrupt if it wants one.
  void publish(unsigned queue);
  // The configuration changed: tells the driver.
  void configuration_changed();
  // The driver broke a rule: the device stops until it is reset.
  void need_reset();

 private:
  u64 all_offered() const { return offered() | kIndirectDescriptors | kEventIndex | kVersion1; }
  void add_capabilities(const Kind& kind);
  u64 read_common(u64 offset, unsigned size) const;
  void write_common(u64 offset, unsigned size, u64 value);
  void write_queue_address(u64 offset, u32 value);
  void set_status(u8 value);
  void set_driver_features(u32 value);
  void ring(u64 index);
  void reset();
  void interrupt(u16 vector, u8 isr_bit);
  // A vector number as the device keeps it: none, if there is no such vector.
  u16 checked_vector(u16 vector) const { return vector < msix_.vectors() ? vector : kNoVector; }

  Host& host_;
  const std::string name_;
  Msix msix_;
  u8 window_capability_ = 0;  // VIRTIO_PCI_CAP_PCI_CFG
  std::vector<Queue> queues_;
  std::vector<u16> queue_vectors_;
  u64 driver_features_ = 0;
  u32 device_feature_select_ = 0;
  u32 driver_feature_select_ = 0;
  u16 config_vector_ = kNoVector;
  u16 queue_select_ = 0;
  u8 status_ = 0;
  u8 generation_ = 0;
  u8 isr_ = 0;
  bool complained_ = false;  // the operator hears of a bad driver once
};

}  // namespace pollux::device::virtio
