// MSI-X: a table of messages in a BAR, one for each vector of a function, with masks and pending bits.
//
// The function makes it in its constructor, passes it its config writes and its accesses to the table and the
// pending-bit array, and calls raise(vector).
//
// Invariants
//  1. A message is sent only while MSI-X is enabled, bus mastering is on, and neither the function nor the vector is
//     masked. One raised while masked is remembered in the pending bit and sent at unmasking, once.
//  2. The guest cannot write pending bits.
// Source: PCI Local Bus Specification 3.0, 6.8.2.
#pragma once

#include <vector>

#include "device/device.h"
#include "device/pci_config.h"

namespace pollux::device {

class Msix {
 public:
  static constexpr u64 kEntryBytes = 16;

  // table and pending are offsets in BAR number bar, multiples of 8.
  Msix(PciConfig& config, MessageSink& messages, unsigned vectors, unsigned bar, u32 table, u32 pending);

  bool enabled() const;
  unsigned vectors() const { return unsigned(pending_.size()); }
  void raise(unsigned vector);

  // After any write to the configuration space: masks may be gone.
  void config_written();
  // Accesses of 4 bytes, or 8 aligned; others read zero and vanish. offset from the table's start.
  u64 table_read(u64 offset, unsigned size) const;
  void table_write(u64 offset, unsigned size, u64 value);
  u64 pending_read(u64 offset, unsigned size) const;

  void visit(Visitor& v);

 private:
  u16 control() const { return u16(config_.read(u8(capability_ + 2), 2)); }
  bool masked(unsigned vector) const;
  void send(unsigned vector);
  void send_pending();

  PciConfig& config_;
  MessageSink& messages_;
  u8 capability_;
  std::vector<u32> table_;   // four words a vector: address low, high, data, control
  std::vector<u8> pending_;  // one a vector
};

}  // namespace pollux::device
