// The interpreter's side: a machine without devices in user mode (privilege level 3, long mode or compatibility mode)
// with the memory of case.h, whose exceptions end in one HLT each.
#pragma once

#include "case.h"
#include "cpu/bus.h"
#include "cpu/interpret/interpreter.h"

namespace pollux::test {

class Guest {
 public:
  static constexpr i32 kShutdown = -3;

  Guest();
  void run(const Input& in, Output& out);

 private:
  class NoBus final : public cpu::Bus {
   public:
    u64 mmio_read(memory::PhysAddr, unsigned) override { return ~u64(0); }
    void mmio_write(memory::PhysAddr, unsigned, u64) override {}
    u32 port_read(u16, unsigned) override { return ~u32(0); }
    void port_write(u16, unsigned, u32) override {}
    u8 acknowledge_interrupt() override { return 0; }
    u64 time_stamp_counter() override { return 0; }
    std::optional<u64> apic_msr_read(u32) override { return std::nullopt; }
    bool apic_msr_write(u32, u64) override { return false; }
    u64 task_priority() override { return 0; }
    void set_task_priority(u64) override {}
  };

  void build_memory();
  void build_state();
  void load(const Input& in);

  memory::GuestMemory memory_;
  NoBus bus_;
  cpu::interpret::Interpreter cpu_;
  x86::State base_;
};

}  // namespace pollux::test
