// Two processors over one memory, in turns: what one writes to code and to page tables, the other obeys with its next
// instruction, whatever it has cached.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u64 kP = 1, kW = 2, kA = 0x20, kD = 0x40;

// Both in long mode over the same tables; linear 0x40000000 is one 4 KiB page whose entry is at 0x14000.
struct Two : TestMachine {
  static constexpr u64 kEntry = 0x14000, kLinear = 0x4000'0000;

  TestBus other_bus;
  std::unique_ptr<Cpu> other{make_interpreter(memory, other_bus)};

  Two() {
    other_bus.cpu = other.get();
    long_mode();
    put<u64>(0x11008, 0x13000 | 7);
    put<u64>(0x13000, kEntry | 7);
    put<u64>(kEntry, 0x20000 | kP | kW);
    put<u64>(0x20000, 0x1111);
    put<u64>(0x21000, 0x2222);
    other->state() = state();
    other->state_changed();
    for (Cpu* each : {cpu.get(), other.get()}) each->state().gpr[x86::kRbx] = kLinear;
  }
  // Runs what stands at an address, up to its HLT.
  x86::State& run_at(Cpu& which, u64 at) {
    which.state().rip = at;
    which.state_changed();
    go_on(which);
    return which.state();
  }
  // Behind the HLT, with everything that the processor has cached.
  static void go_on(Cpu& which) {
    which.state().halted = false;
    EXPECT_EQ(which.run(door::Position(which.position().value + 100)), StopReason::kHalted);
  }
};

const std::vector<u8> kRead = {0x48, 0x8b, 0x03, 0xf4};            // mov rax, [rbx]; hlt
const std::vector<u8> kReadTwice = {0x48, 0x8b, 0x03, 0xf4, 0x48, 0x8b, 0x03, 0xf4};
const std::vector<u8> kWriteEntry = {0x48, 0x89, 0x0a, 0xf4};      // mov [rdx], rcx; hlt
const std::vector<u8> kWritePage = {0x48, 0x89, 0x0b, 0xf4};       // mov [rbx], rcx; hlt

TEST(Several, APageTableWrittenByOneIsReadAnewByTheOther) {
  Two m;
  m.bytes(0x1000, kReadTwice);
  m.bytes(0x2000, kWriteEntry);
  EXPECT_EQ(m.run_at(*m.cpu, 0x1000).gpr[x86::kRax], 0x1111u);
  EXPECT_EQ(m.run_at(*m.other, 0x1000).gpr[x86::kRax], 0x1111u);
  m.other->state().gpr[x86::kRdx] = Two::kEntry;
  m.other->state().gpr[x86::kRcx] = 0x21000 | kP | kW;
  m.run_at(*m.other, 0x2000);
  // The first one goes on where it was, with no invalidation of any kind.
  Two::go_on(*m.cpu);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0x2222u);
}

TEST(Several, WhatOneForgetsTheOtherStillWatches) {
  Two m;
  m.bytes(0x1000, kReadTwice);
  EXPECT_EQ(m.run_at(*m.cpu, 0x1000).gpr[x86::kRax], 0x1111u);
  EXPECT_EQ(m.run_at(*m.other, 0x1000).gpr[x86::kRax], 0x1111u);
  // So many writes of a table that a processor takes it for one no longer; the other one walks again in between.
  m.bytes(0x2000, kWriteEntry);
  m.other->state().gpr[x86::kRdx] = Two::kEntry + 8;
  for (int i = 0; i < 1000; ++i) {
    m.run_at(*m.other, 0x2000);
    if (i % 100 != 0) continue;
    EXPECT_EQ(m.run_at(*m.cpu, 0x1000).gpr[x86::kRax], 0x1111u);
  }
  m.other->state().gpr[x86::kRdx] = Two::kEntry;
  m.other->state().gpr[x86::kRcx] = 0x21000 | kP | kW;
  m.run_at(*m.other, 0x2000);
  Two::go_on(*m.cpu);
  EXPECT_EQ(m.state().gpr[x86::kRax], 0x2222u);
}

TEST(Several, CodeWrittenByOneIsWhatTheOtherExecutes) {
  Two m;
  m.bytes(0x1000, {0xb8, 1, 0, 0, 0, 0xf4, 0xeb, 0xf8});  // mov eax, 1; hlt; jmp to the start
  EXPECT_EQ(m.run_at(*m.cpu, 0x1000).gpr[x86::kRax], 1u);
  EXPECT_EQ(m.run_at(*m.other, 0x1000).gpr[x86::kRax], 1u);
  // The other one has the code cached, too, and drops its own when it writes; the page stays watched for the first.
  m.bytes(0x2000, {0xc6, 0x02, 2, 0xf4});  // mov byte [rdx], 2; hlt
  m.other->state().gpr[x86::kRdx] = 0x1001;
  m.run_at(*m.other, 0x2000);
  Two::go_on(*m.cpu);
  EXPECT_EQ(m.state().gpr[x86::kRax], 2u);
  m.bytes(0x1001, {3});  // a device
  Two::go_on(*m.cpu);
  EXPECT_EQ(m.state().gpr[x86::kRax], 3u);
}

TEST(Several, OneMayHaveWrittenAPageThatTheOtherThenExecutes) {
  Two m;
  m.bytes(0x2000, kWritePage);
  m.state().gpr[x86::kRcx] = 0xf401b0;  // mov al, 1; hlt
  m.run_at(*m.cpu, 0x2000);             // has write access to the page now
  EXPECT_EQ(m.run_at(*m.other, Two::kLinear).gpr[x86::kRax] & 0xff, 1u);
  m.state().gpr[x86::kRcx] = 0xf402b0;
  m.run_at(*m.cpu, 0x2000);
  EXPECT_EQ(m.run_at(*m.other, Two::kLinear).gpr[x86::kRax] & 0xff, 2u);
}

TEST(Several, EachSetsTheBitsThatItsOwnUseWants) {
  Two m;
  m.bytes(0x1000, kRead);
  m.bytes(0x2000, kWritePage);
  m.run_at(*m.cpu, 0x1000);
  EXPECT_EQ(m.get<u64>(Two::kEntry) & 0xfff, kP | kW | kA);
  m.run_at(*m.other, 0x2000);
  EXPECT_EQ(m.get<u64>(Two::kEntry) & 0xfff, kP | kW | kA | kD);
  m.put<u64>(Two::kEntry, 0x20000 | kP | kW);
  m.run_at(*m.cpu, 0x1000);
  EXPECT_EQ(m.get<u64>(Two::kEntry) & 0xfff, kP | kW | kA);
}

TEST(Several, PauseTellsTheBusBeforeItRetires) {
  struct Bus final : TestBus {
    void pause() override {
      at.push_back(cpu->position().value);
      cpu->request_stop();
    }
    std::vector<u64> at;
  } bus;
  memory::GuestMemory memory(memory::heap_region(1 << 20));
  const auto cpu = make_interpreter(memory, bus);
  bus.cpu = cpu.get();
  const u8 code[] = {0x90, 0xf3, 0x90, 0x90, 0xf4};  // nop; pause; nop; hlt
  memory.write(memory::PhysAddr(0x8000), std::as_bytes(std::span(code)));
  cpu->state().init();
  cpu->state().start_up(8);
  cpu->state_changed();
  EXPECT_EQ(cpu->run(door::Position(100)), StopReason::kRequested);
  EXPECT_EQ(cpu->position().value, 2u);
  EXPECT_EQ(bus.at, std::vector<u64>{1});
  EXPECT_EQ(cpu->run(door::Position(100)), StopReason::kHalted);
  EXPECT_EQ(cpu->position().value, 4u);
}

TEST(Several, CpuidTellsEachItsPlace) {
  struct Bus final : TestBus {
    x86::Topology topology() const override { return {3, 6}; }
  } bus;
  memory::GuestMemory memory(memory::heap_region(1 << 20));
  const auto cpu = make_interpreter(memory, bus);
  bus.cpu = cpu.get();
  const u8 code[] = {0x0f, 0xa2, 0xf4};  // cpuid; hlt
  memory.write(memory::PhysAddr(0x8000), std::as_bytes(std::span(code)));
  const auto leaf = [&](u32 number, u32 sub) -> x86::State& {
    cpu->state().reset();
    cpu->state().start_up(8);
    cpu->state().gpr[x86::kRax] = number;
    cpu->state().gpr[x86::kRcx] = sub;
    cpu->state_changed();
    cpu->run(door::Position(cpu->position().value + 10));
    return cpu->state();
  };
  EXPECT_EQ(leaf(1, 0).gpr[x86::kRbx] >> 24, 3u);
  EXPECT_EQ(leaf(1, 0).gpr[x86::kRbx] >> 16 & 0xff, 6u);
  EXPECT_TRUE(leaf(1, 0).gpr[x86::kRdx] >> 28 & 1);
  EXPECT_EQ(leaf(4, 0).gpr[x86::kRax] >> 26, 7u) << "room for eight cores";
  EXPECT_EQ(leaf(0xb, 0).gpr[x86::kRbx], 1u);
  EXPECT_EQ(leaf(0xb, 1).gpr[x86::kRax], 3u) << "bits that number the cores";
  EXPECT_EQ(leaf(0xb, 1).gpr[x86::kRbx], 6u);
  EXPECT_EQ(leaf(0xb, 1).gpr[x86::kRdx], 3u);
}

}  // namespace
}  // namespace pollux::cpu::interpret
