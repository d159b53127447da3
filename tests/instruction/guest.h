// Our side: a machine without devices in user mode (privilege level 3, long mode or compatibility mode) with the memory
// of case.h, whose exceptions end in one HLT each, on either engine.
//
// The translator hands the last instructions before an exact position to the interpreter, so on it the instruction
// runs with a position far ahead: behind it, and wherever it may jump to, is a HLT, which user mode may not execute.
// The position says whether the instruction retired before that fault.
#pragma once

#include <memory>

#include "case.h"
#include "cpu/bus.h"
#include "cpu/translate/translator.h"

namespace pollux::test {

class Guest {
 public:
  static constexpr i32 kShutdown = -3;
  enum class Engine : u8 { kInterpret, kTranslate };

  explicit Guest(Engine engine);
  void run(const Input& in, Output& out);
  // Cases whose instruction translated code executed.
  u64 translated() const { return translated_; }

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
  bool run_translated(const Input& in, Output& out);
  void take_exception(Output& out);
  void take_state(Output& out);

  memory::GuestMemory memory_;
  NoBus bus_;
  std::unique_ptr<cpu::Cpu> cpu_;
  cpu::translate::Translator* translator_ = nullptr;  // cpu_, where it is one
  u64 translated_ = 0;
  x86::State base_;
};

}  // namespace pollux::test
