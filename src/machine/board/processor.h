// One processor's place on the board: its side of the bus, by which the board knows who asks, and whether it waits to
// be started.
//
// The first processor starts with the machine. The others wait for a start-up message (SDM vol. 3, 9.4): nothing but
// that makes them run, and an INIT makes them wait again. Both take effect when the instruction that sent them has
// retired: Board::settle().
#pragma once

#include "cpu/bus.h"
#include "cpu/cpu.h"

namespace pollux::machine::board {

class Board;

class Processor final : public cpu::Bus {
 public:
  Processor(Board& board, u32 number, u32 processors)
      : board_(board), topology_{number, processors}, waits_(number != 0) {}
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  void connect(cpu::Cpu& cpu) { cpu_ = &cpu; }
  cpu::Cpu& cpu() { return *cpu_; }
  const cpu::Cpu& cpu() const { return *cpu_; }
  u32 number() const { return topology_.apic_id; }

  // Would execute an instruction, given its turn.
  bool can_run() const;
  bool waits() const { return waits_; }
  // INIT: the processor's state as the manual says, waiting. Between runs.
  void init();
  // A start-up message: ignored unless it waits. Between runs.
  void start_up(u8 vector);

  // The processor itself is visited with the computer.
  void visit(Visitor& v) { v.field("waits", waits_); }

  // ---- cpu::Bus ----
  u64 mmio_read(memory::PhysAddr at, unsigned size) override;
  void mmio_write(memory::PhysAddr at, unsigned size, u64 value) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;
  u8 acknowledge_interrupt() override;
  u64 time_stamp_counter() override;
  const door::TimeLine* time_line() const override;
  std::optional<u64> apic_msr_read(u32 index) override;
  bool apic_msr_write(u32 index, u64 value) override;
  u64 task_priority() override;
  void set_task_priority(u64 cr8) override;
  x86::Topology topology() const override { return topology_; }
  void pause() override;

 private:
  Board& board_;
  cpu::Cpu* cpu_ = nullptr;
  x86::Topology topology_;
  bool waits_;
};

}  // namespace pollux::machine::board
