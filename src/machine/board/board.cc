// Construction, the address maps and the signals. Time, turns and the run loop are in board_run.cc, the bus in
// processor.cc.
#include "machine/board/board.h"

#include "base/check.h"
#include "machine/platform.h"

namespace pollux::machine::board {

using device::Lapic;

Board::Board(memory::GuestMemory& memory, BoardSettings settings)
    : memory_(memory),
      turns_(settings.processors),
      clock_(settings.rate),
      interrupts_(*this, *this, settings.processors),
      pit_(*this, interrupts_.isa(platform::kPicTimerIrq)),
      rtc_(*this, interrupts_.isa(platform::kRtcIrq)),
      serial_(*this, interrupts_.isa(platform::kSerialIrq)),
      acpi_(*this, interrupts_.isa(platform::kSciIrq), platform::kSleepTypeS5),
      power_ports_(*this),
      pci_(platform::kPciWindowBase, platform::kPciWindowBase + platform::kPciWindowSize),
      entropy_(*this, interrupts_) {
  for (u32 n = 0; n < settings.processors; ++n) {
    processors_.push_back(std::make_unique<Processor>(*this, n, settings.processors));
  }
  unsigned slot = platform::kFirstVirtioSlot;
  pci_.add(slot++, entropy_);
  for (auto& disk : settings.disks) {
    disks_.push_back(std::make_unique<device::virtio::Block>(*this, interrupts_, std::move(disk)));
    pci_.add(slot++, *disks_.back());
  }
  for (auto& nic : settings.nics) {
    nics_.push_back(std::make_unique<device::virtio::Net>(*this, interrupts_, nic));
    pci_.add(slot++, *nics_.back());
  }
  map_ports();
}

void Board::map_ports() {
  device::Pic& pic = interrupts_.pic();
  ports_.add(platform::kPic1, 2, 1, pic.controller(0));
  ports_.add(platform::kPic2, 2, 1, pic.controller(1));
  ports_.add(platform::kPicEdgeLevel, 2, 1, pic.trigger());
  ports_.add(platform::kPit, 4, 1, pit_.counters());
  ports_.add(platform::kPitGate, 1, 1, pit_.gate());
  ports_.add(platform::kKeyboardCommand, 1, 1, power_ports_.keyboard());
  ports_.add(platform::kRtc, 2, 1, rtc_);
  ports_.add(platform::kSystemControl, 1, 1, power_ports_.system_control());
  ports_.add(platform::kDebugConsole, 1, 1, debug_console_);
  ports_.add(platform::kExit, 4, 4, power_ports_.exit());
  ports_.add(platform::kSerial, 8, 1, serial_);
  ports_.add(platform::kPciConfigAddress, 8, 4, config_ports_);
  ports_.add(platform::kPm1Event, 12, 4, acpi_);
}

u64 Board::ConfigPorts::read(u64 offset, unsigned size) {
  if (offset == 1 && size == 1) return board.power_ports_.reset_control().read(0, 1);
  return board.pci_.config_ports().read(offset, size);
}

void Board::ConfigPorts::write(u64 offset, unsigned size, u64 value) {
  if (offset == 1 && size == 1) return board.power_ports_.reset_control().write(0, 1, value);
  board.pci_.config_ports().write(offset, size, value);
}

std::optional<Board::Place> Board::place(u32 processor, u64 at, unsigned size) {
  const auto within = [&](u64 base, u64 bytes) { return at >= base && at - base + size <= bytes; };
  if (within(platform::kPciWindowBase, platform::kPciWindowSize)) {
    return Place{&pci_.window(), at - platform::kPciWindowBase};
  }
  Lapic& lapic = interrupts_.lapic(processor);
  if (lapic.decodes_memory() && within(lapic.base(), platform::kLocalApicSize)) return Place{&lapic, at - lapic.base()};
  if (within(platform::kIoApicBase, platform::kIoApicSize)) {
    return Place{&interrupts_.ioapic(), at - platform::kIoApicBase};
  }
  return std::nullopt;
}

void Board::interrupt_line(u32 processor, bool raised) {
  processors_[processor]->cpu().set_interrupt_line(raised);
  if (raised && in_processor_ && processor == turns_.current()) current().request_stop();
}

// One that waits for its start-up knows no other signal.
void Board::nmi(u32 processor) {
  if (!processors_[processor]->waits()) processors_[processor]->cpu().raise_nmi();
}

// The first processor goes to the reset vector, as after power-on; firmware would start the machine anew.
void Board::init(u32 processor) {
  if (processor == 0) return emit(door::PowerOutput{door::PowerEvent::kReset, 0});
  start_messages_.push_back({processor, true, 0});
  wake_board();
}

void Board::start_up(u32 processor, u8 vector) {
  start_messages_.push_back({processor, false, vector});
  wake_board();
}

void Board::visit(Visitor& v) {
  POLLUX_CHECK(outputs_.empty() || !v.restoring(), "outputs are taken before a machine is restored");
  v.component("clock", clock_);
  v.component("pit", pit_);
  v.component("rtc", rtc_);
  v.component("serial", serial_);
  v.component("acpi", acpi_);
  v.component("power_ports", power_ports_);
  v.component("pci", pci_);
  v.component("entropy", entropy_);
  for (std::size_t i = 0; i < disks_.size(); ++i) v.component("disk" + std::to_string(i), *disks_[i]);
  for (std::size_t i = 0; i < nics_.size(); ++i) v.component("nic" + std::to_string(i), *nics_[i]);
  interrupts_.visit(v);
  v.field("off", off_);
  turns_.visit(v);
  if (processors() == 1) return;  // it never waits to be started
  for (auto& processor : processors_) v.component("processor" + std::to_string(processor->number()), *processor);
}

}  // namespace pollux::machine::board
