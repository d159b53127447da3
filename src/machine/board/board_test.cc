#include "machine/board/board.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/board/scripted_cpu.h"
#include "machine/platform.h"

namespace pollux::machine::board {
namespace {

using door::Position;
using memory::PhysAddr;

constexpr u64 kRate = u64{20} << 32;  // 20 ns a position

struct Pc {
  memory::GuestMemory memory{memory::heap_region(1 << 20)};
  Board board;
  ScriptedCpu cpu{board.bus(0)};

  explicit Pc(u64 rate = kRate) : board(memory, {.rate = rate}) { board.connect(0, cpu); }

  static void lapic(cpu::Bus& bus, u64 offset, u32 value) {
    bus.mmio_write(PhysAddr(platform::kLocalApicBase + offset), 4, value);
  }
  u64 digest() {
    DigestVisitor v;
    cpu.visit(v);
    board.visit(v);
    return v.digest();
  }
};

void start_periodic_timer(cpu::Bus& bus) {
  Pc::lapic(bus, 0x3e0, 0xb);             // divider 1
  Pc::lapic(bus, 0x320, 1 << 17 | 0x40);  // periodic
  Pc::lapic(bus, 0x380, 12345);           // ns
}

TEST(Board, ATimerInterruptsAtTheFirstPositionWhoseTimeHasCome) {
  Pc pc;
  pc.cpu.script[100] = start_periodic_timer;  // at 2000 ns
  ASSERT_EQ(pc.board.run(Position(10'000)), RunStop::kPosition);
  ASSERT_GE(pc.cpu.taken.size(), 3u);
  EXPECT_EQ(pc.cpu.taken[0], (ScriptedCpu::Taken{718, 0x40}));   // 14345 ns / 20, rounded up
  EXPECT_EQ(pc.cpu.taken[1], (ScriptedCpu::Taken{1335, 0x40}));  // 26690 ns / 20, rounded up
  EXPECT_EQ(pc.cpu.taken[2].position, 1952u);
}

TEST(Board, IsTheSameHoweverItsRunIsSliced) {
  const auto drive = [](u64 slice_seed) {
    Pc pc(u64{17} << 32 | 0x1234567);
    Random slices(slice_seed);
    pc.cpu.script[50] = start_periodic_timer;
    pc.cpu.script[60] = [](cpu::Bus& bus) {  // PIT: square wave, 3000 ticks, by the PIC in virtual wire mode
      for (const auto& [port, value] : std::initializer_list<std::pair<u16, u8>>{
               {0x20, 0x11}, {0x21, 0x30}, {0x21, 4}, {0x21, 1}, {0x21, 0xfe}, {0x43, 0x36}, {0x40, 0xb8}, {0x40, 0xb}}) {
        bus.port_write(port, 1, value);
      }
    };
    pc.cpu.handler = [](cpu::Bus& bus) {
      Pc::lapic(bus, 0xb0, 0);
      bus.port_write(0x20, 1, 0x20);
    };
    for (u64 p = 1000; p < 2'000'000; p += 7777) pc.cpu.halts.push_back(p);
    for (u64 p = 1500; p < 2'000'000; p += 30011) {
      pc.cpu.script[p] = [](cpu::Bus& bus) { bus.port_write(platform::kSerial, 1, 'x'); };
    }
    u64 outputs_hash = 0, next_clock = 100'000;
    while (pc.cpu.position().value < 2'000'000) {
      const u64 here = pc.cpu.position().value;
      if (here == next_clock) {
        pc.board.set_clock(door::VirtualNs(here * 18), (u64{16} << 32) + here);
        pc.board.settle();
        next_clock += 100'000;
      }
      const u64 until = std::min({here + 1 + slices.below(20'000), next_clock, u64{2'000'000}});
      const RunStop stop = pc.board.run(Position(until));
      for (const auto& output : pc.board.take_outputs()) {
        outputs_hash = outputs_hash * 31 + output.position.value * 7 + output.output.index();
      }
      if (stop == RunStop::kIdle && pc.cpu.position().value < until) pc.board.skip_idle();
    }
    return std::tuple(pc.cpu.taken.size(), pc.digest(), outputs_hash);
  };
  const auto first = drive(1);
  EXPECT_GT(std::get<0>(first), 1000u);
  EXPECT_EQ(first, drive(2));
  EXPECT_EQ(first, drive(3));
}

TEST(Board, AnOutputEndsTheRunAfterItsInstruction) {
  Pc pc;
  pc.cpu.script[10] = [](cpu::Bus& bus) { bus.port_write(platform::kExit, 1, 42); };
  EXPECT_EQ(pc.board.run(Position(100)), RunStop::kOff);
  EXPECT_EQ(pc.cpu.position(), Position(11));
  const auto outputs = pc.board.take_outputs();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].position, Position(11));
  EXPECT_EQ(std::get<door::PowerOutput>(outputs[0].output).code, 42u);
  EXPECT_EQ(pc.board.run(Position(100)), RunStop::kOff);
}

TEST(Board, ConsoleBytesLeaveBeforeThePowerGoes) {
  Pc pc;
  pc.cpu.script[10] = [](cpu::Bus& bus) { bus.port_write(platform::kDebugConsole, 1, 'a'); };
  pc.cpu.script[11] = [](cpu::Bus& bus) { bus.port_write(platform::kResetControl, 1, 6); };
  EXPECT_EQ(pc.board.run(Position(100)), RunStop::kOff);
  const auto outputs = pc.board.take_outputs();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<door::ConsoleOutput>(outputs[0].output));
  EXPECT_EQ(std::get<door::PowerOutput>(outputs[1].output).event, door::PowerEvent::kReset);
}

TEST(Board, AHaltedMachineIsIdleUntilItsTimerAndSkipsToIt) {
  Pc pc;
  pc.cpu.script[100] = start_periodic_timer;
  pc.cpu.halts = {200};
  EXPECT_EQ(pc.board.run(Position(1000)), RunStop::kIdle);
  EXPECT_EQ(pc.cpu.position(), Position(201)) << "halting counts one";
  EXPECT_EQ(pc.board.idle_until(), door::VirtualNs(14345));
  pc.board.skip_idle();
  EXPECT_EQ(pc.cpu.position(), Position(202)) << "and so does waking";
  EXPECT_EQ(pc.board.now(), door::VirtualNs(14345));
  EXPECT_EQ(pc.board.run(Position(300)), RunStop::kPosition);
  ASSERT_EQ(pc.cpu.taken.size(), 1u);
  EXPECT_EQ(pc.cpu.taken[0].position, 202u);
}

TEST(Board, AHaltWithInterruptsOffAndNoTimerIsIdleForEver) {
  Pc pc;
  pc.cpu.halts = {5};
  pc.cpu.state().rflags = 2;
  EXPECT_EQ(pc.board.run(Position(1000)), RunStop::kIdle);
  EXPECT_EQ(pc.board.idle_until(), door::kNever);
}

TEST(Board, TheTimeStampCounterCountsVirtualNanoseconds) {
  Pc pc;
  u64 seen = 0;
  pc.cpu.script[1000] = [&](cpu::Bus& bus) { seen = bus.time_stamp_counter(); };
  pc.board.run(Position(2000));
  EXPECT_EQ(seen, 20'000u);
}

TEST(Board, NobodyAnswersWithOnes) {
  Pc pc;
  EXPECT_EQ(pc.board.bus(0).port_read(0x1234, 4), ~u32{0});
  EXPECT_EQ(pc.board.bus(0).port_read(0x1234, 2), 0xffffu);
  EXPECT_EQ(pc.board.bus(0).mmio_read(PhysAddr(0xd000'0000), 8), ~u64{0});
  EXPECT_EQ(pc.board.bus(0).mmio_read(PhysAddr(0xfed0'0000), 4), 0xffff'ffffu) << "no HPET";
}

TEST(Board, AWideAccessReachesByteRegistersOneByOne) {
  Pc pc;
  pc.board.bus(0).port_write(platform::kRtc, 2, 0xab40);  // index 0x40, data 0xab
  pc.board.bus(0).port_write(platform::kRtc, 1, 0x40);
  EXPECT_EQ(pc.board.bus(0).port_read(platform::kRtc + 1, 1), 0xabu);
  EXPECT_EQ(pc.board.bus(0).port_read(platform::kPciConfigAddress, 4) & 0x7f00'0003, 0u);
}

TEST(Board, TheEntropyDeviceIsOnTheBus) {
  Pc pc;
  pc.board.bus(0).port_write(platform::kPciConfigAddress, 4, 0x8000'0000 | platform::kFirstVirtioSlot << 11);
  EXPECT_EQ(pc.board.bus(0).port_read(platform::kPciConfigData, 4), 0x1044'1af4u);
}

TEST(Interrupts, TheTimerLineReachesInputTwo) {
  Pc pc;
  pc.board.bus(0).mmio_write(PhysAddr(platform::kIoApicBase), 4, 0x14);
  pc.board.bus(0).mmio_write(PhysAddr(platform::kIoApicBase + 0x10), 4, 0x52);  // input 2, vector 0x52
  pc.board.bus(0).port_write(0x43, 1, 0x30);
  pc.board.bus(0).port_write(0x40, 1, 0);
  pc.board.bus(0).port_write(0x40, 1, 1);
  pc.board.run(Position(100'000));
  ASSERT_EQ(pc.cpu.taken.size(), 1u);
  EXPECT_EQ(pc.cpu.taken[0].vector, 0x52);
}

}  // namespace
}  // namespace pollux::machine::board
