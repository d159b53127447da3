// A processor with memory and a bus that records, for tests.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <vector>

#include "cpu/interpret/make_interpreter.h"
#include "x86/control.h"
#include "x86/flags.h"

namespace pollux::cpu::interpret {

class TestBus : public Bus {
 public:
  u64 mmio_read(memory::PhysAddr at, unsigned size) override {
    reads.push_back({at.value, size, cpu->position().value});
    return mmio.contains(at.value) ? mmio[at.value] : ~u64{0};
  }
  void mmio_write(memory::PhysAddr at, unsigned size, u64 value) override {
    mmio[at.value] = value;
    writes.push_back({at.value, size, cpu->position().value});
    if (stop_on_write) cpu->request_stop();
  }
  u32 port_read(u16 port, unsigned) override { return port; }
  void port_write(u16 port, unsigned size, u32 value) override {
    writes.push_back({port, size, cpu->position().value});
    if (port == 0x80) output.push_back(value);
    if (port == 0x81) cpu->set_interrupt_line(true);
    if (port == 0x82) cpu->request_stop();
  }
  u8 acknowledge_interrupt() override {
    cpu->set_interrupt_line(false);
    return interrupt_vector;
  }
  u64 time_stamp_counter() override { return cpu->position().value; }
  std::optional<u64> apic_msr_read(u32) override { return std::nullopt; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 task_priority() override { return priority; }
  void set_task_priority(u64 cr8) override { priority = cr8; }

  struct Access {
    u64 at;
    unsigned size;
    u64 position;
  };
  Cpu* cpu = nullptr;
  std::map<u64, u64> mmio;
  std::vector<Access> reads, writes;
  std::vector<u32> output;  // what was written to port 0x80
  u64 priority = 0;
  u8 interrupt_vector = 0x40;
  bool stop_on_write = false;
};

// 4 MiB of memory. Code goes to 0x1000. In long mode linear addresses 0 to 1 GiB are mapped to themselves by 2 MiB
// pages whose tables are at 0x10000. The stack ends at 0x9000; the IDT is at 0x6000, the TSS at 0x7000, the GDT at
// 0x8000: 64-bit code 0x08 and 0x23 of levels 0 and 3, data 0x10 and 0x1b, 32-bit code 0x38 and 0x43.
class TestMachine {
 public:
  using MakeCpu = std::function<std::unique_ptr<Cpu>(memory::GuestMemory&, Bus&)>;
  explicit TestMachine(u64 bytes = 4 << 20, const MakeCpu& make = make_interpreter)
      : memory(memory::heap_region(bytes)), cpu(make(memory, bus)) {
    bus.cpu = cpu.get();
  }
  x86::State& state() { return cpu->state(); }
  StopReason run(u64 until) { return cpu->run(door::Position(until)); }
  u64 digest() {
    DigestVisitor v;
    cpu->visit(v);
    return v.digest() ^ memory.digest();
  }
  void bytes(u64 at, const std::vector<u8>& what) {
    memory.write(memory::PhysAddr(at), std::as_bytes(std::span(what)));
  }
  void code(const std::vector<u8>& what, u64 at = 0x1000) {
    bytes(at, what);
    state().rip = at;
    cpu->state_changed();
  }
  template <class T>
  void put(u64 at, T value) {
    memory.store(memory::PhysAddr(at), value);
  }
  template <class T>
  T get(u64 at) {
    T value{};
    memory.load(memory::PhysAddr(at), value);
    return value;
  }

  void long_mode(unsigned cpl = 0) {
    put<u64>(0x10000, 0x11000 | 7);
    put<u64>(0x11000, 0x12000 | 7);
    for (u64 n = 0; n < 512; ++n) put<u64>(0x12000 + n * 8, n << 21 | 0x87);
    gdt();
    x86::State& s = state();
    s.cr0 = x86::kCr0Pe | x86::kCr0Pg | x86::kCr0Et | x86::kCr0Ne | x86::kCr0Wp;
    s.cr3 = 0x10000;
    s.cr4 = x86::kCr4Pae | x86::kCr4Osfxsr | x86::kCr4Osxmmexcpt;
    s.efer = x86::kEferLme | x86::kEferLma | x86::kEferSce | x86::kEferNxe;
    set_segments(cpl, 0xa09b);
    s.gpr[x86::kRsp] = 0x9000;
    s.rflags = 2;
    cpu->state_changed();
  }
  void protected_mode() {
    gdt();
    x86::State& s = state();
    s.cr0 = x86::kCr0Pe | x86::kCr0Et | x86::kCr0Ne;
    set_segments(0, 0xc09b);
    s.gpr[x86::kRsp] = 0x9000;
    s.rflags = 2;
    cpu->state_changed();
  }
  // A 64-bit interrupt gate to code at handler.
  void gate64(u8 vector, u64 handler, u8 type = 0x8e, u8 ist = 0) {
    put<u64>(0x6000 + vector * 16, (handler & 0xffff) | u64{8} << 16 | u64(ist) << 32 | u64(type) << 40 |
                                       (handler & 0xffff0000) << 32);
    put<u64>(0x6000 + vector * 16 + 8, handler >> 32);
    state().idtr = {.base = 0x6000, .limit = 0xfff};
  }
  void gate32(u8 vector, u32 handler, u8 type = 0x8e) {  // to 32-bit code
    put<u64>(0x6000 + vector * 8, (handler & 0xffff) | u64{0x38} << 16 | u64(type) << 40 | u64(handler & 0xffff0000) << 32);
    state().idtr = {.base = 0x6000, .limit = 0x7ff};
  }
  // A 64-bit task-state segment at 0x7000 with the stack for level 0.
  void tss(u64 rsp0) {
    put<u64>(0x7004, rsp0);
    state().segment[x86::kTr] = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = 0x7000};
  }

  memory::GuestMemory memory;
  TestBus bus;
  std::unique_ptr<Cpu> cpu;

 private:
  void gdt() {
    put<u64>(0x8000, 0);
    put<u64>(0x8008, 0x00af9b000000ffff);
    put<u64>(0x8010, 0x00cf93000000ffff);
    put<u64>(0x8018, 0x00cff3000000ffff);
    put<u64>(0x8020, 0x00affb000000ffff);
    put<u64>(0x8028, 0x0000890070000067);
    put<u64>(0x8038, 0x00cf9b000000ffff);  // 0x38: 32-bit code
    put<u64>(0x8040, 0x00cffb000000ffff);  // 0x40: 32-bit code of level 3
    state().gdtr = {.base = 0x8000, .limit = 0x47};
  }
  void set_segments(unsigned cpl, u16 code) {
    x86::State& s = state();
    const u16 dpl = u16(cpl << 5);
    const u16 cs = cpl ? 0x23 : code == 0xc09b ? 0x38 : 0x08, ds = cpl ? 0x1b : 0x10;
    s.segment[x86::kCs] = {.selector = cs, .attributes = u16(code | dpl), .limit = ~u32{0}, .base = 0};
    for (const x86::SegmentName n : {x86::kEs, x86::kSs, x86::kDs, x86::kFs, x86::kGs}) {
      s.segment[n] = {.selector = ds, .attributes = u16(0xc093 | dpl), .limit = ~u32{0}, .base = 0};
    }
  }
};

}  // namespace pollux::cpu::interpret
