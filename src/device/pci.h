// One PCI bus behind a host bridge: configuration mechanism #1 and the memory window that functions decode.
//
// How the board uses it:
//   PciBus pci(kPciWindowBase, kPciWindowEnd);
//   pci.add(1, disk);  pci.add(2, nic);       // device numbers 1-31; 0 is the host bridge
//   route ports 0xcf8-0xcff to pci.config_ports() and the window to pci.window(); visit the bus and each device.
//
// add() does the work of firmware, for kernels are loaded directly: every BAR gets an address in the window, memory
// and bus mastering are on. Interrupts are message-signalled only (no INTx). A guest may move a BAR; one moved
// outside the window is not reached.
//
// Not here: bridges, several functions a device, extended configuration space (no MCFG table says it exists).
// Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 (mechanism #1) and chapter 6.
#pragma once

#include <array>
#include <vector>

#include "device/device.h"
#include "device/pci_config.h"

namespace pollux::device {

// A function on the bus. Sizes: configuration 1, 2, 4 within a dword; BAR accesses 1, 2, 4, 8.
class PciFunction {
 public:
  explicit PciFunction(const PciIdentity& identity) : config_(identity) {}
  virtual ~PciFunction() = default;

  virtual u32 config_read(u8 offset, unsigned size) { return config_.read(offset, size); }
  virtual void config_write(u8 offset, unsigned size, u32 value) { config_.write(offset, size, value); }
  virtual u64 bar_read(unsigned bar, u64 offset, unsigned size) = 0;
  virtual void bar_write(unsigned bar, u64 offset, unsigned size, u64 value) = 0;

  PciConfig& config() { return config_; }
  const PciConfig& config() const { return config_; }

 private:
  PciConfig config_;
};

class PciBus {
 public:
  static constexpr unsigned kDevices = 32;

  // The window of device memory [base, end).
  PciBus(u64 window_base, u64 window_end);
  PciBus(const PciBus&) = delete;
  PciBus& operator=(const PciBus&) = delete;

  // Puts a function at 00:device.0 and gives it its addresses. The function outlives the bus.
  void add(unsigned device, PciFunction& function);

  // Eight ports from 0xcf8. Byte and word accesses to the address register do nothing (0xcf9 is the board's).
  Registers& config_ports() { return ports_; }
  // The window; offset 0 is its base.
  Registers& window() { return window_; }

  // State of the bus and the host bridge; functions are visited by their owner.
  void visit(Visitor& v);

 private:
  class HostBridge final : public PciFunction {
   public:
    HostBridge();
    u64 bar_read(unsigned, u64, unsigned) override { return ~u64{0}; }
    void bar_write(unsigned, u64, unsigned, u64) override {}
  };
  struct Ports final : Registers {
    explicit Ports(PciBus& b) : bus(b) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    PciBus& bus;
  };
  struct Window final : Registers {
    explicit Window(PciBus& b) : bus(b) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    PciBus& bus;
  };

  // The function that the address register names, if the data access [port, port + size) is one it can take.
  PciFunction* selected(u64 port, unsigned size);

  u64 window_base_;
  u64 window_end_;
  u64 next_address_;
  HostBridge bridge_;
  std::array<PciFunction*, kDevices> functions_{};
  std::vector<PciFunction*> decoders_;  // those with BARs
  u32 address_ = 0;  // the register at 0xcf8
  Ports ports_{*this};
  Window window_{*this};
};

}  // namespace pollux::device
