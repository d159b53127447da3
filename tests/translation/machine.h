// The machine that runs random programs on one engine: the memory of layout.h, a device that answers by address and
// position, and an interrupt line.
#pragma once

#include <bitset>
#include <memory>

#include "base/random.h"
#include "cpu/translate/translator.h"
#include "program.h"

namespace pollux::test::translation {

enum class Engine : u8 { kInterpret, kTranslate, kCheck };

class Machine final : private cpu::Bus {
 public:
  // code_bytes: of the translator's code region. kCheck prints a difference that it finds, and aborts.
  Machine(Engine engine, u64 code_bytes = 2 << 20);
  Machine(const Machine&) = delete;

  // Everything as it is before the program's first instruction, at position 0.
  void load(const Program& program, const Image& image);
  // To the position; sooner when the guest has halted for good.
  cpu::StopReason run(u64 until, EarlyStop early = {});
  void happen(const Event& event);
  u64 position() const { return cpu_->position().value; }
  u64 rip() { return cpu_->state().rip; }
  u64 digest();
  // Every field and every touched page with its hash: for finding where two machines differ.
  std::vector<std::pair<std::string, std::string>> describe();
  // Makes this machine what other is.
  void copy(Machine& other);
  const cpu::translate::Translator* translator() const { return translator_; }

 private:
  cpu::Bus& bus() { return *this; }
  void build();
  void note_touched();
  void visit(Visitor& v);

  // cpu::Bus
  u64 mmio_read(memory::PhysAddr at, unsigned size) override;
  void mmio_write(memory::PhysAddr at, unsigned size, u64 value) override;
  u32 port_read(u16 port, unsigned size) override;
  void port_write(u16 port, unsigned size, u32 value) override;
  u8 acknowledge_interrupt() override;
  u64 time_stamp_counter() override { return time_line_.at(door::Position(position())).value; }
  const door::TimeLine* time_line() const override { return &time_line_; }
  std::optional<u64> apic_msr_read(u32) override { return std::nullopt; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 task_priority() override { return priority_; }
  void set_task_priority(u64 cr8) override { priority_ = cr8; }
  void note(u64 what, u64 at, u64 value);

  static constexpr u64 kPages = kMemoryBytes / 4096;
  memory::GuestMemory memory_;
  std::unique_ptr<cpu::Cpu> cpu_;
  cpu::translate::Translator* translator_ = nullptr;
  std::vector<u8> template_;          // memory before a program is put into it
  std::bitset<kPages> touched_;       // pages that may differ from it
  x86::State base_;
  u64 history_ = 0;                   // hash of all bus accesses
  u64 priority_ = 0;
  const door::TimeLine time_line_{.time = door::VirtualNs(5), .rate = u64{5} << 30};
};

}  // namespace pollux::test::translation
