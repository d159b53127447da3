// Messages between local APICs, and from the IO-APIC and devices to them, in a machine with several processors.
#include "machine/board/interrupts.h"

#include <map>

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::machine::board {
namespace {

using device::Lapic;

struct Signals final : ProcessorSignals {
  void interrupt_line(u32 processor, bool raised) override { line[processor] = raised; }
  void nmi(u32 processor) override { events.push_back({'n', processor, 0}); }
  void init(u32 processor) override { events.push_back({'i', processor, 0}); }
  void start_up(u32 processor, u8 vector) override { events.push_back({'s', processor, vector}); }

  struct Event {
    char kind;
    u32 processor;
    u8 vector;
    bool operator==(const Event&) const = default;
  };
  std::map<u32, bool> line;
  std::vector<Event> events;
};

constexpr u32 kIcr = 0x300, kIcrHigh = 0x310, kTpr = 0x80, kSvr = 0xf0, kLdr = 0xd0, kDfr = 0xe0, kEoi = 0xb0;

struct FourProcessors : testing::Test {
  device::TestHost host;
  Signals signals;
  Interrupts interrupts{host, signals, 4};

  FourProcessors() {
    for (u32 n = 0; n < 4; ++n) {
      lapic(n).write(kSvr, 4, 0x1ff);
      lapic(n).write(kLdr, 4, 1u << (24 + n));
    }
  }
  Lapic& lapic(u32 n) { return interrupts.lapic(n); }
  void send(u32 from, u32 to, u32 low) {
    lapic(from).write(kIcrHigh, 4, to << 24);
    lapic(from).write(kIcr, 4, low);
  }
  // The processors whose line is raised, as bits; takes and ends their interrupts, which must have this vector.
  u32 hit(u8 vector) {
    u32 bits = 0;
    for (u32 n = 0; n < 4; ++n) {
      if (!interrupts.raised(n)) continue;
      EXPECT_TRUE(signals.line[n]);
      bits |= 1u << n;
      EXPECT_EQ(interrupts.acknowledge(n), vector);
      EXPECT_FALSE(signals.line[n]);
      lapic(n).write(kEoi, 4, 0);
    }
    return bits;
  }
};

TEST_F(FourProcessors, OnlyTheFirstStartsTheMachineAndTakesThePic) {
  EXPECT_EQ(*lapic(0).msr_read(Lapic::kMsrApicBase), 0xfee0'0900u);
  EXPECT_EQ(*lapic(3).msr_read(Lapic::kMsrApicBase), 0xfee0'0800u);
  Interrupts fresh(host, signals, 2);
  EXPECT_TRUE(fresh.lapic(0).takes_external());
  EXPECT_FALSE(fresh.lapic(1).takes_external());
}

TEST_F(FourProcessors, AMessageReachesWhomItNames) {
  send(0, 2, 0x4041);
  EXPECT_EQ(hit(0x41), 0b0100u);
  send(2, 0, 0x4041);
  EXPECT_EQ(hit(0x41), 0b0001u);
  send(1, 9, 0x4041);
  EXPECT_EQ(hit(0x41), 0u) << "nobody of that name";
  send(1, 0xff, 0x4041);
  EXPECT_EQ(hit(0x41), 0b1111u);
  send(1, 0b1010, 0x4841);
  EXPECT_EQ(hit(0x41), 0b1010u) << "flat logical";
}

TEST_F(FourProcessors, ClustersAreNamedByTheirNumber) {
  for (u32 n = 0; n < 4; ++n) {
    lapic(n).write(kDfr, 4, 0);
    lapic(n).write(kLdr, 4, (n / 2 << 4 | 1u << n % 2) << 24);
  }
  send(0, 0x13, 0x4841);
  EXPECT_EQ(hit(0x41), 0b1100u);
}

TEST_F(FourProcessors, ShorthandsCountFromTheSender) {
  send(1, 0, 0x44050);
  EXPECT_EQ(hit(0x50), 0b0010u);
  send(1, 0, 0x84050);
  EXPECT_EQ(hit(0x50), 0b1111u);
  send(1, 0, 0xc4050);
  EXPECT_EQ(hit(0x50), 0b1101u);
}

TEST_F(FourProcessors, LowestPriorityChoosesOneThatAccepts) {
  for (u32 n = 0; n < 4; ++n) lapic(n).write(kTpr, 4, 0x40 - 0x10 * n);
  send(0, 0xf, 0x4965);
  EXPECT_EQ(hit(0x65), 0b1000u);
  lapic(3).write(kSvr, 4, 0xff);  // disabled by software
  send(0, 0xf, 0x4965);
  EXPECT_EQ(hit(0x65), 0b0100u);
  for (u32 n = 0; n < 4; ++n) lapic(n).write(kTpr, 4, 0);
  interrupts.message(0xfee0'000c | 0xf << 12, 0x0066);  // logical, redirectable: a device's
  EXPECT_EQ(hit(0x66), 0b0001u) << "the first of equals";
  interrupts.message(0xfee0'0000 | 2 << 12, 0x0066);
  EXPECT_EQ(hit(0x66), 0b0100u);
}

TEST_F(FourProcessors, TheIoApicReachesAnyOfThemAndHearsTheEndFromIt) {
  device::Ioapic& io = interrupts.ioapic();
  const auto put = [&](u32 index, u32 value) {
    io.write(0, 4, index);
    io.write(0x10, 4, value);
  };
  put(0x10 + 2 * 9 + 1, 3u << 24);
  put(0x10 + 2 * 9, 0x39 | 1 << 15);  // level
  interrupts.isa(9).set(true);
  EXPECT_TRUE(interrupts.raised(3));
  EXPECT_EQ(interrupts.acknowledge(3), 0x39);
  EXPECT_FALSE(interrupts.raised(3));
  lapic(3).write(kEoi, 4, 0);
  EXPECT_TRUE(interrupts.raised(3)) << "the level is still there";
  interrupts.isa(9).set(false);
  EXPECT_EQ(hit(0x39), 0b1000u);
}

TEST_F(FourProcessors, InitStartUpAndNmiAreSignals) {
  using Events = std::vector<Signals::Event>;
  send(0, 1, 0x4500);
  send(0, 1, 0x8500);  // de-assert, level: of no effect
  send(0, 1, 0x4608);
  send(0, 2, 0x4400);
  EXPECT_EQ(signals.events, (Events{{'i', 1, 0}, {'s', 1, 8}, {'n', 2, 0}}));
  signals.events.clear();
  send(0, 0, 0xc4500);
  EXPECT_EQ(signals.events, (Events{{'i', 1, 0}, {'i', 2, 0}, {'i', 3, 0}}));
}

TEST_F(FourProcessors, AnX2apicNamesThemByThirtyTwoBits) {
  for (u32 n = 0; n < 4; ++n) ASSERT_TRUE(lapic(n).msr_write(Lapic::kMsrApicBase, (n ? 0xfee0'0800 : 0xfee0'0900) | 0x400));
  lapic(0).msr_write(0x830, u64{2} << 32 | 0x4041);
  EXPECT_TRUE(interrupts.raised(2));
  EXPECT_EQ(interrupts.acknowledge(2), 0x41);
  lapic(0).msr_write(0x830, u64{0b1010} << 32 | 0x4842);  // cluster 0
  EXPECT_TRUE(interrupts.raised(1) && interrupts.raised(3) && !interrupts.raised(0));
  lapic(0).msr_write(0x830, u64{0xffff'ffff} << 32 | 0x4043);
  EXPECT_TRUE(interrupts.raised(0));
}

TEST_F(FourProcessors, EachHasATimer) {
  for (u32 n = 0; n < 4; ++n) {
    lapic(n).write(0x3e0, 4, 0xb);
    lapic(n).write(0x320, 4, 0x70);
    lapic(n).write(0x380, 4, 1000 - 100 * n);
  }
  EXPECT_EQ(interrupts.deadline(), door::VirtualNs(700));
  host.pass(lapic(3), 700);
  EXPECT_EQ(hit(0x70), 0b1000u);
  EXPECT_EQ(interrupts.deadline(), door::VirtualNs(800));
}

TEST_F(FourProcessors, AreRestoredWithTheirLines) {
  send(0, 2, 0x4041);
  SaveVisitor save;
  interrupts.visit(save);
  const Bytes bytes = save.take();
  Signals others;
  Interrupts copy(host, others, 4);
  LoadVisitor load(bytes);
  copy.visit(load);
  ASSERT_TRUE(load.ok());
  EXPECT_TRUE(copy.raised(2));
  EXPECT_TRUE(others.line[2]);
  EXPECT_FALSE(others.line[0]);
}

}  // namespace
}  // namespace pollux::machine::board
