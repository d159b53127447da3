#include "device/acpi_pm.h"

#include <gtest/gtest.h>

#include "device/power_ports.h"
#include "device/test_host.h"

namespace pollux::device {
namespace {

struct AcpiPmTest : testing::Test {
  TestHost host;
  TestLine sci;
  AcpiPm pm{host, sci, 5};
};

TEST_F(AcpiPmTest, ThePowerButtonRaisesTheLineUntilCleared) {
  pm.press_power_button();
  EXPECT_FALSE(sci.level) << "not enabled";
  pm.write(2, 2, 1 << 8);
  EXPECT_TRUE(sci.level);
  EXPECT_EQ(pm.read(0, 2), 1u << 8);
  pm.write(0, 2, 1 << 8);
  EXPECT_FALSE(sci.level);
}

TEST_F(AcpiPmTest, SleepTypeFivePowersOffAndOthersWake) {
  pm.write(4, 2, 1 << 13 | 1 << 10);
  EXPECT_TRUE(host.outputs.empty());
  EXPECT_EQ(pm.read(0, 2), 1u << 15);
  pm.write(4, 2, 1 << 13 | 5 << 10);
  ASSERT_EQ(host.outputs.size(), 1u);
  EXPECT_EQ(std::get<door::PowerOutput>(host.outputs[0]), (door::PowerOutput{door::PowerEvent::kOff, 0}));
  EXPECT_EQ(pm.read(4, 2), 1u | 5 << 10) << "SCI_EN is always set, SLP_EN reads zero";
}

TEST_F(AcpiPmTest, TheTimerCountsAtItsRateAndCarries) {
  host.time = door::VirtualNs(1'000'000'000);
  EXPECT_EQ(pm.read(8, 4), AcpiPm::kTimerHz);
  pm.write(2, 2, 1);
  host.pass(pm, 601'000'000'000);  // 2^31 / 3579545 Hz = 599.9 s
  EXPECT_TRUE(sci.level);
  pm.write(0, 2, 1);
  EXPECT_FALSE(sci.level);
  EXPECT_NE(pm.deadline(), door::kNever);
}

TEST(PowerPorts, EachWayToResetResets) {
  TestHost host;
  PowerPorts ports(host);
  ports.reset_control().write(0, 1, 2);
  ports.keyboard().write(0, 1, 0xd1);
  ports.system_control().write(0, 1, 2);
  EXPECT_TRUE(host.outputs.empty());
  ports.reset_control().write(0, 1, 6);
  ports.keyboard().write(0, 1, 0xfe);
  ports.system_control().write(0, 1, 3);
  ports.exit().write(0, 1, 7);
  ASSERT_EQ(host.outputs.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(std::get<door::PowerOutput>(host.outputs[i]).event, door::PowerEvent::kReset);
  EXPECT_EQ(std::get<door::PowerOutput>(host.outputs[3]), (door::PowerOutput{door::PowerEvent::kOff, 7}));
}

}  // namespace
}  // namespace pollux::device
