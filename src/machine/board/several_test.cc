// A board with several processors: turns, starting, waking, and independence of slices.
#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/board/board.h"
#include "machine/board/scripted_cpu.h"
#include "machine/platform.h"

namespace pollux::machine::board {
namespace {

using door::Position;
using memory::PhysAddr;

constexpr u64 kQuantum = Turns::kQuantum;

void lapic(cpu::Bus& bus, u64 offset, u32 value) {
  bus.mmio_write(PhysAddr(platform::kLocalApicBase + offset), 4, value);
}
void send(cpu::Bus& bus, u32 to, u32 low) {
  lapic(bus, 0x310, to << 24);
  lapic(bus, 0x300, low);
}

struct Three {
  memory::GuestMemory memory{memory::heap_region(1 << 20)};
  Board board{memory, {.rate = u64{20} << 32, .processors = 3}};
  ScriptedCpu cpu[3] = {ScriptedCpu(board.bus(0)), ScriptedCpu(board.bus(1)), ScriptedCpu(board.bus(2))};

  Three() {
    for (u32 n = 0; n < 3; ++n) board.connect(n, cpu[n]);
  }
  // The first starts the others with its first instruction. A started one wants interrupts, as a kernel would say.
  void start_all() {
    cpu[0].script[0] = [](cpu::Bus& bus) {
      for (const u32 low : {0xc4500u, 0xc4608u}) lapic(bus, 0x300, low);
    };
    EXPECT_EQ(board.run(Position(1)), RunStop::kPosition);
    for (u32 n = 1; n < 3; ++n) {
      cpu[n].state().rflags |= 0x200;
      lapic(board.bus(n), 0xf0, 0x1ff);
    }
  }
  u64 digest() {
    DigestVisitor v;
    for (ScriptedCpu& each : cpu) each.visit(v);
    board.visit(v);
    return v.digest();
  }
};

TEST(Several, OthersWaitForTheirStart) {
  Three pc;
  pc.cpu[0].halts = {10};
  EXPECT_EQ(pc.board.run(Position(1000)), RunStop::kIdle) << "nobody else can run";
  EXPECT_EQ(pc.board.position(), Position(11));
  EXPECT_EQ(pc.cpu[1].position(), Position(0));
}

TEST(Several, AStartUpTakesEffectBehindItsInstruction) {
  Three pc;
  pc.start_all();
  EXPECT_EQ(pc.cpu[1].state().segment[x86::kCs].selector, 0x800);
  EXPECT_EQ(pc.cpu[1].state().segment[x86::kCs].base, 0x8000u);
  EXPECT_EQ(pc.cpu[1].state().rip, 0u);
  EXPECT_EQ(pc.cpu[1].state().segment[x86::kDs].limit, 0xffffu);
  std::vector<std::pair<u32, u64>> ran;
  for (u32 n = 0; n < 3; ++n) {
    for (u64 turn = 0; turn < 4; ++turn) {
      pc.cpu[n].script[turn * kQuantum + 5] = [&ran, n, turn](cpu::Bus&) { ran.emplace_back(n, turn); };
    }
  }
  EXPECT_EQ(pc.board.run(Position(4 * kQuantum)), RunStop::kPosition);
  EXPECT_EQ(ran, (std::vector<std::pair<u32, u64>>{{0, 0}, {1, 1}, {2, 2}, {0, 3}}));
}

TEST(Several, AnotherStartUpMeansNothingAndAnInitStops) {
  Three pc;
  pc.start_all();
  pc.cpu[0].script[10] = [](cpu::Bus& bus) { send(bus, 1, 0x4699); };
  pc.board.run(Position(11));
  EXPECT_EQ(pc.cpu[1].state().segment[x86::kCs].selector, 0x800);
  pc.cpu[1].state().gpr[x86::kRbx] = 5;
  pc.cpu[1].state().xmm[3].low = 6;
  pc.cpu[0].script[20] = [](cpu::Bus& bus) { send(bus, 1, 0x4500); };
  pc.board.run(Position(21));
  EXPECT_EQ(pc.cpu[1].state().segment[x86::kCs].selector, 0xf000);
  EXPECT_EQ(pc.cpu[1].state().gpr[x86::kRbx], 0u);
  EXPECT_EQ(pc.cpu[1].state().xmm[3].low, 6u) << "INIT leaves the vector registers";
  bool ran = false;
  pc.cpu[1].script[kQuantum + 5] = [&](cpu::Bus&) { ran = true; };
  pc.board.run(Position(2 * kQuantum));
  EXPECT_FALSE(ran);
}

TEST(Several, AnInitOfTheFirstIsAReset) {
  Three pc;
  pc.start_all();
  pc.cpu[1].script[kQuantum + 7] = [](cpu::Bus& bus) { send(bus, 0, 0x4500); };
  EXPECT_EQ(pc.board.run(Position(5 * kQuantum)), RunStop::kOff);
  const auto outputs = pc.board.take_outputs();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].position, Position(kQuantum + 8));
}

TEST(Several, AMessageIsTakenInTheTurnOfItsTarget) {
  Three pc;
  pc.start_all();
  pc.cpu[0].script[100] = [](cpu::Bus& bus) { send(bus, 2, 0x4041); };
  pc.cpu[0].halts = {200};
  pc.cpu[1].halts = {201};
  pc.board.run(Position(1000));
  ASSERT_EQ(pc.cpu[2].taken.size(), 1u);
  EXPECT_EQ(pc.cpu[2].taken[0], (ScriptedCpu::Taken{202, 0x41}));
}

TEST(Several, AHaltedOneIsPassedOverUntilItsInterrupt) {
  Three pc;
  pc.start_all();
  pc.cpu[1].halts = {kQuantum + 1};
  pc.cpu[2].halts = {kQuantum + 2};
  pc.board.run(Position(3 * kQuantum));
  EXPECT_FALSE(pc.cpu[0].state().halted);
  pc.cpu[0].script[3 * kQuantum + 10] = [](cpu::Bus& bus) { send(bus, 1, 0x4041); };
  pc.cpu[0].halts = {3 * kQuantum + 20};
  pc.board.run(Position(3 * kQuantum + 30));
  ASSERT_EQ(pc.cpu[1].taken.size(), 1u);
  EXPECT_EQ(pc.cpu[1].taken[0].position, 3 * kQuantum + 21);
  pc.cpu[1].halts = {3 * kQuantum + 40};
  EXPECT_EQ(pc.board.run(Position(4 * kQuantum)), RunStop::kIdle) << "all halted";
}

TEST(Several, PausePassesTheTurnOnWhereAnybodyWaitsForIt) {
  Three pc;
  const auto pause = [](cpu::Bus& bus) { bus.pause(); };
  pc.cpu[0].script[5] = pause;
  bool went_on = false;
  pc.cpu[0].script[6] = [&](cpu::Bus&) { went_on = true; };
  pc.board.run(Position(10));
  EXPECT_TRUE(went_on) << "alone";

  Three busy;
  busy.start_all();
  busy.cpu[0].script[5] = pause;
  busy.cpu[1].script[10] = pause;
  std::vector<u32> ran;
  for (const u64 at : {6u, 11u}) {
    for (u32 n = 0; n < 3; ++n) busy.cpu[n].script[at] = [&ran, n](cpu::Bus&) { ran.push_back(n); };
  }
  busy.board.run(Position(20));
  EXPECT_EQ(ran, (std::vector<u32>{1, 2}));
}

TEST(Several, AreTheSameHoweverTheirRunIsSliced) {
  const auto drive = [](u64 slice_seed) {
    Three pc;
    constexpr u64 kEnd = 1'500'000;
    Random slices(slice_seed), events(5);
    pc.start_all();
    for (u32 n = 0; n < 3; ++n) {
      ScriptedCpu& cpu = pc.cpu[n];
      cpu.handler = [](cpu::Bus& bus) { lapic(bus, 0xb0, 0); };
      cpu.script[2 + n] = [n](cpu::Bus& bus) {
        lapic(bus, 0x3e0, 0xb);
        lapic(bus, 0x320, 1 << 17 | (0x40 + n));
        lapic(bus, 0x380, 500'000 + 1000 * n);
      };
      for (u64 at = 50; at < kEnd; at += 1 + events.below(400)) {
        switch (events.below(8)) {
          case 0: cpu.halts.push_back(at); break;
          case 1: cpu.script[at] = [](cpu::Bus& bus) { lapic(bus, 0x300, 0xc4050); }; break;
          case 2: cpu.script[at] = [n](cpu::Bus& bus) { send(bus, (n + 1) % 3, 0x4051); }; break;
          case 3: cpu.script[at] = [](cpu::Bus& bus) { bus.port_write(platform::kSerial, 1, 'x'); }; break;
          case 4:
            if (n == 0 && events.below(50) == 0) {  // stopped in whatever it does, and started again
              cpu.script[at] = [](cpu::Bus& bus) { send(bus, 2, 0x4500), send(bus, 2, 0x4610); };
            }
            break;
          default: cpu.script[at] = [](cpu::Bus& bus) { bus.pause(); };
        }
      }
      std::sort(cpu.halts.begin(), cpu.halts.end());
    }
    u64 outputs_hash = 0;
    while (pc.board.position().value < kEnd) {
      const u64 here = pc.board.position().value;
      const u64 until = std::min(here + 1 + slices.below(slices.chance(0.5) ? 5 : 40'000), kEnd);
      const RunStop stop = pc.board.run(Position(until));
      for (const auto& output : pc.board.take_outputs()) {
        outputs_hash = outputs_hash * 31 + output.position.value * 7 + output.output.index();
      }
      if (stop == RunStop::kIdle && pc.board.position().value < until) pc.board.skip_idle();
    }
    return std::tuple(pc.cpu[0].taken.size(), pc.cpu[1].taken.size(), pc.cpu[2].taken.size(), pc.digest(), outputs_hash);
  };
  const auto first = drive(1);
  EXPECT_GT(std::get<0>(first), 100u);
  EXPECT_GT(std::get<1>(first), 100u);
  EXPECT_EQ(first, drive(2));
  EXPECT_EQ(first, drive(3));
}

}  // namespace
}  // namespace pollux::machine::board
