#include "device/lapic.h"

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::device {
namespace {

struct Port final : LapicPort {
  std::vector<u8> ended;
  std::vector<InterruptMessage> sent;
  std::vector<Delivery> signals;
  void presents_changed() override {}
  void end_of_interrupt(u8 vector) override { ended.push_back(vector); }
  void send(const InterruptMessage& m) override { sent.push_back(m); }
  void signal(Delivery kind, u8) override { signals.push_back(kind); }
};

constexpr u64 kTpr = 0x80, kEoi = 0xb0, kLdr = 0xd0, kDfr = 0xe0, kSvr = 0xf0, kEsr = 0x280, kIcr = 0x300,
              kIcrHigh = 0x310, kTimer = 0x320, kLint0 = 0x350, kInitial = 0x380, kCurrent = 0x390, kDivide = 0x3e0;
constexpr u32 kPeriodic = 1 << 17, kDeadline = 2 << 17, kMasked = 1 << 16;

struct LapicTest : testing::Test {
  TestHost host;
  Port port;
  Lapic apic{host, port, 0};

  void SetUp() override { apic.write(kSvr, 4, 0x1ff); }
  void request(u8 vector, Trigger trigger = Trigger::kEdge) { apic.accept(Delivery::kFixed, vector, trigger); }
};

TEST_F(LapicTest, PresentsTheHighestVectorAboveTheServicedClass) {
  request(0x41);
  request(0x62);
  ASSERT_TRUE(apic.presents());
  EXPECT_EQ(apic.take(), 0x62);
  EXPECT_FALSE(apic.presents()) << "0x41 is of a lower class than the one in service";
  request(0x6f);
  EXPECT_FALSE(apic.presents()) << "same class";
  request(0x70);
  EXPECT_TRUE(apic.presents());
  EXPECT_EQ(apic.take(), 0x70);
  apic.write(kEoi, 4, 0);
  apic.write(kEoi, 4, 0);
  EXPECT_EQ(apic.take(), 0x6f);
  apic.write(kEoi, 4, 0);
  EXPECT_EQ(apic.take(), 0x41);
}

TEST_F(LapicTest, TaskPriorityHoldsBackItsClassAndIsCr8) {
  request(0x41);
  apic.set_task_priority(4);
  EXPECT_FALSE(apic.presents());
  EXPECT_EQ(apic.read(kTpr, 4), 0x40u);
  apic.write(kTpr, 4, 0x35);
  EXPECT_EQ(apic.task_priority(), 3u);
  EXPECT_TRUE(apic.presents());
}

TEST_F(LapicTest, TakingNothingGivesTheSpuriousVector) { EXPECT_EQ(apic.take(), 0xff); }

TEST_F(LapicTest, TellsTheEndOfLevelTriggeredInterruptsOnly) {
  request(0x50, Trigger::kLevel);
  apic.take();
  apic.write(kEoi, 4, 0);
  request(0x50, Trigger::kEdge);
  apic.take();
  apic.write(kEoi, 4, 0);
  EXPECT_EQ(port.ended, std::vector<u8>{0x50});
}

TEST_F(LapicTest, OneShotTimerFiresOnceAtItsCount) {
  host.time = door::VirtualNs(1000);
  apic.write(kDivide, 4, 3);  // by 16
  apic.write(kTimer, 4, 0x30);
  apic.write(kInitial, 4, 100);
  EXPECT_EQ(apic.deadline(), door::VirtualNs(1000 + 1600));
  host.time = door::VirtualNs(1000 + 800);
  EXPECT_EQ(apic.read(kCurrent, 4), 50u);
  host.pass(apic, 5000);
  EXPECT_TRUE(apic.presents());
  EXPECT_EQ(apic.read(kCurrent, 4), 0u);
  EXPECT_EQ(apic.deadline(), door::kNever);
}

TEST_F(LapicTest, PeriodicTimerKeepsItsPhaseOverAJumpOfTime) {
  apic.write(kDivide, 4, 0xb);  // by 1
  apic.write(kTimer, 4, 0x30 | kPeriodic);
  apic.write(kInitial, 4, 1000);
  host.time = door::VirtualNs(5500);
  apic.advance();
  EXPECT_EQ(apic.deadline(), door::VirtualNs(6000));
  EXPECT_EQ(apic.read(kCurrent, 4), 500u);
}

TEST_F(LapicTest, DeadlineTimerIsDisarmedByFiringAndByModeChanges) {
  EXPECT_TRUE(apic.msr_write(Lapic::kMsrTscDeadline, 500));
  EXPECT_EQ(apic.msr_read(Lapic::kMsrTscDeadline), 0u) << "ignored in other modes";
  apic.write(kTimer, 4, 0x30 | kDeadline);
  apic.msr_write(Lapic::kMsrTscDeadline, 500);
  EXPECT_EQ(apic.deadline(), door::VirtualNs(500));
  host.pass(apic, 600);
  EXPECT_TRUE(apic.presents());
  EXPECT_EQ(apic.msr_read(Lapic::kMsrTscDeadline), 0u);
  apic.msr_write(Lapic::kMsrTscDeadline, 900);
  apic.write(kTimer, 4, 0x30);
  EXPECT_EQ(apic.deadline(), door::kNever);
}

TEST_F(LapicTest, AMaskedTimerCountsAndDoesNotInterrupt) {
  apic.write(kDivide, 4, 0xb);
  apic.write(kTimer, 4, 0x30 | kMasked);
  apic.write(kInitial, 4, 10);
  host.pass(apic, 100);
  EXPECT_FALSE(apic.presents());
}

TEST_F(LapicTest, SoftwareDisabledMasksItsEntriesAndAcceptsNothing) {
  apic.write(kTimer, 4, 0x30);
  apic.write(kSvr, 4, 0xff);
  EXPECT_EQ(apic.read(kTimer, 4), 0x30u | kMasked);
  request(0x50);
  EXPECT_FALSE(apic.presents());
}

TEST_F(LapicTest, InterruptCommandNamesTargetsInBothModes) {
  apic.write(kIcrHigh, 4, 5u << 24);
  apic.write(kIcr, 4, 0x4500);  // INIT, assert
  ASSERT_EQ(port.sent.size(), 1u);
  EXPECT_EQ(port.sent[0].destination, 5u);
  EXPECT_EQ(port.sent[0].delivery, Delivery::kInit);
  apic.write(kIcr, 4, 0x40041);  // to itself
  EXPECT_EQ(port.sent[1].shorthand, Shorthand::kSelf);
  apic.msr_write(Lapic::kMsrApicBase, 0xfee0'0d00);
  apic.msr_write(0x830, u64{300} << 32 | 0x42);
  EXPECT_EQ(port.sent[2].destination, 300u);
  EXPECT_TRUE(port.sent[2].x2apic);
  EXPECT_TRUE(apic.msr_write(0x83f, 0x43));  // self IPI
  EXPECT_EQ(apic.take(), 0x43);
}

TEST_F(LapicTest, IllegalVectorsAreErrorsNotInterrupts) {
  apic.write(kIcr, 4, 0x5);
  EXPECT_TRUE(port.sent.empty());
  apic.write(kEsr, 4, 0);
  EXPECT_EQ(apic.read(kEsr, 4), 1u << 5);
  apic.write(kEsr, 4, 0);
  EXPECT_EQ(apic.read(kEsr, 4), 0u);
}

TEST_F(LapicTest, LogicalDestinationsFlatAndClustered) {
  apic.write(kLdr, 4, 0x12u << 24);
  InterruptMessage m;
  m.logical = true;
  m.destination = 0x02;
  EXPECT_TRUE(apic.addressed_by(m));
  m.destination = 0x04;
  EXPECT_FALSE(apic.addressed_by(m));
  apic.write(kDfr, 4, 0);  // clusters
  m.destination = 0x12;
  EXPECT_TRUE(apic.addressed_by(m));
  m.destination = 0x22;
  EXPECT_FALSE(apic.addressed_by(m));
}

TEST_F(LapicTest, ModesOfTheBaseRegisterChangeOnlyAsTheManualAllows) {
  constexpr u64 kBase = 0xfee0'0100;
  EXPECT_FALSE(apic.msr_write(Lapic::kMsrApicBase, kBase | 0x400)) << "x2APIC without enable";
  EXPECT_TRUE(apic.msr_write(Lapic::kMsrApicBase, kBase | 0xc00));
  EXPECT_FALSE(apic.decodes_memory());
  EXPECT_FALSE(apic.msr_write(Lapic::kMsrApicBase, kBase | 0x800)) << "from x2APIC back to xAPIC";
  EXPECT_EQ(apic.msr_read(0x803), apic.read(0x30, 4));
  EXPECT_FALSE(apic.msr_read(0x80e)) << "no destination format register";
  EXPECT_FALSE(apic.msr_write(0x80b, 1)) << "EOI takes zero only";
  EXPECT_TRUE(apic.msr_write(Lapic::kMsrApicBase, kBase));
  EXPECT_FALSE(apic.msr_read(0x803));
  EXPECT_TRUE(apic.takes_external()) << "a disabled local APIC passes the PIC on";
}

TEST_F(LapicTest, Lint0TakesThePicOrAnEdge) {
  apic.write(kLint0, 4, 0x700);
  EXPECT_TRUE(apic.takes_external());
  apic.write(kLint0, 4, 0x55);
  EXPECT_FALSE(apic.takes_external());
  apic.set_lint0(true);
  EXPECT_EQ(apic.take(), 0x55);
  apic.set_lint0(true);
  EXPECT_FALSE(apic.presents()) << "no second edge";
  apic.write(kLint0, 4, 0x400);
  apic.set_lint0(false);
  apic.set_lint0(true);
  EXPECT_EQ(port.signals, std::vector<Delivery>{Delivery::kNmi});
}

TEST_F(LapicTest, GoesOnFromItsSavedState) {
  request(0x41);
  apic.write(kTimer, 4, 0x30 | kPeriodic);
  apic.write(kInitial, 4, 1000);
  Lapic other(host, port, 0);
  EXPECT_TRUE(copies(apic, other));
  EXPECT_EQ(other.deadline(), apic.deadline());
  EXPECT_EQ(other.take(), 0x41);
}

}  // namespace
}  // namespace pollux::device
