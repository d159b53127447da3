// The PC around the processors: which devices sit where, what time it is, whose turn it is, and when a processor must
// stop.
//
// Made with the guest's memory; processors are made with its bus(n) and given to it by connect(); then it is driven by
// machine/computer: run(), deliver an input to the device that owns it followed by settle(), take_outputs().
//
// The machine's position is that of the processor whose turn it is: a turn begins where the one before it ended.
//
// Invariants
//  1. After every public call no device's deadline is overdue (settle()): a timer event happens at the first position
//     whose virtual time is not before its deadline, however runs are sliced.
//  2. An access that emits an output or moves a deadline ends the processor's run after its instruction, so outputs
//     carry the position at which that instruction has retired.
//  3. Nothing happens at a position after run() has returned there but what is delivered: an interrupt that is
//     pending at `until` is taken in the next run, and a turn that is over there is given to the next one in it.
//  4. INIT and start-up messages have taken effect after every public call.
// Not here: booting, configuration bytes, digests (machine/computer).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "device/acpi_pm.h"
#include "device/pci.h"
#include "device/pit.h"
#include "device/power_ports.h"
#include "device/rtc.h"
#include "device/serial.h"
#include "device/virtio/block.h"
#include "device/virtio/entropy.h"
#include "device/virtio/net.h"
#include "machine/board/address_map.h"
#include "machine/board/interrupts.h"
#include "machine/board/processor.h"
#include "machine/board/turns.h"
#include "machine/machine.h"
#include "machine/virtual_clock.h"

namespace pollux::machine::board {

struct BoardSettings {
  u64 rate = 0;  // of virtual time: nanoseconds per instruction, 32.32
  u32 processors = 1;
  std::vector<device::virtio::BlockSettings> disks;
  std::vector<device::virtio::NetSettings> nics;
};

class Board final : public device::Host, public ProcessorSignals {
 public:
  Board(memory::GuestMemory& memory, BoardSettings settings);
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  u32 processors() const { return u32(processors_.size()); }
  cpu::Bus& bus(u32 processor) { return *processors_[processor]; }
  // All of them, before anything else.
  void connect(u32 processor, cpu::Cpu& cpu) { processors_[processor]->connect(cpu); }

  // ---- for machine/computer ----
  RunStop run(door::Position until, EarlyStop early = {});
  door::Position position() const { return current().position(); }
  // After anything was delivered.
  void settle();
  std::vector<door::OutputAt> take_outputs() { return std::exchange(outputs_, {}); }
  bool idle() const;
  door::VirtualNs idle_until() const { return idle() ? deadline() : door::kNever; }
  void skip_idle();
  void set_clock(door::VirtualNs now, u64 rate) { clock_.set(position(), now, rate); }
  void stop() { off_ = true; }
  bool off() const { return off_; }

  device::Serial& serial() { return serial_; }
  device::Rtc& rtc() { return rtc_; }
  device::AcpiPm& acpi() { return acpi_; }
  device::virtio::Entropy& entropy() { return entropy_; }
  const device::virtio::Entropy& entropy() const { return entropy_; }
  // nullptr when there is no such device.
  device::virtio::Block* disk(u32 index) { return index < disks_.size() ? disks_[index].get() : nullptr; }
  device::virtio::Net* nic(u32 index) { return index < nics_.size() ? nics_[index].get() : nullptr; }

  void visit(Visitor& v);

  // ---- device::Host ----
  door::VirtualNs now() const override { return clock_.at(position()); }
  void emit(door::Output output) override;
  void wake_board() override;
  void pass_time(u64 ns) override;
  memory::GuestMemory& memory() override { return memory_; }

  // ---- ProcessorSignals ----
  void interrupt_line(u32 processor, bool raised) override;
  void nmi(u32 processor) override;
  void init(u32 processor) override;
  void start_up(u32 processor, u8 vector) override;

 private:
  friend class Processor;  // the bus of one

  struct ConfigPorts final : device::Registers {  // PCI configuration with the reset register in its middle
    explicit ConfigPorts(Board& b) : board(b) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, unsigned size, u64 value) override;
    Board& board;
  };
  struct DebugConsole final : device::Registers {
    explicit DebugConsole(device::Serial& s) : serial(s) {}
    u64 read(u64, unsigned) override { return 0xe9; }
    void write(u64, unsigned, u64 value) override { serial.send(u8(value)); }
    device::Serial& serial;
  };
  struct StartMessage {  // INIT or start-up
    u32 processor;
    bool init;
    u8 vector;
  };
  struct Place {  // who answers in device memory, and where in its range
    device::Registers* registers;
    u64 offset;
  };

  void map_ports();
  std::optional<Place> place(u32 processor, u64 at, unsigned size);
  door::VirtualNs deadline() const;
  void run_processor(door::Position until, EarlyStop early);
  void choose_turn();
  void pause();
  void start_processors();
  cpu::Cpu& current() { return processors_[turns_.current()]->cpu(); }
  const cpu::Cpu& current() const { return processors_[turns_.current()]->cpu(); }

  memory::GuestMemory& memory_;
  std::vector<std::unique_ptr<Processor>> processors_;
  Turns turns_;
  VirtualClock clock_;
  Interrupts interrupts_;
  device::Pit pit_;
  device::Rtc rtc_;
  device::Serial serial_;
  device::AcpiPm acpi_;
  device::PowerPorts power_ports_;
  device::PciBus pci_;
  device::virtio::Entropy entropy_;
  std::vector<std::unique_ptr<device::virtio::Block>> disks_;
  std::vector<std::unique_ptr<device::virtio::Net>> nics_;
  ConfigPorts config_ports_{*this};
  DebugConsole debug_console_{serial_};
  PortMap ports_;

  bool off_ = false;
  bool in_processor_ = false;  // inside current().run()
  std::vector<StartMessage> start_messages_;
  std::vector<door::OutputAt> outputs_;
};

}  // namespace pollux::machine::board
