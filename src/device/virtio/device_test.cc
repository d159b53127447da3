// What all kinds share, seen through the entropy device, the smallest one.
#include "device/virtio/device.h"

#include <gtest/gtest.h>

#include "device/virtio/driver_model.h"
#include "device/virtio/entropy.h"
#include "device/virtio/net.h"

namespace pollux::device::virtio {
namespace {

using memory::PhysAddr;
using test::DriverQueue;

class DeviceTest : public testing::Test {
 protected:
  DeviceTest() {
    bus.add(2, device);
    registers = std::make_unique<test::DriverRegisters>(bus, 2);
  }
  void start(u64 features = kVersion1) {
    ASSERT_TRUE(registers->negotiate(features));
    registers->enable_msix();
    registers->enable_queue(0, queue);
    registers->driver_ok();
  }

  test::FakeMachine machine;
  Entropy device{machine, machine};
  PciBus bus{0xe000'0000, 0xfec0'0000};
  std::unique_ptr<test::DriverRegisters> registers;
  DriverQueue queue{machine.memory(), 0x10000, 8};
};

TEST_F(DeviceTest, IsAModernDeviceWithMessageInterruptsOnly) {
  EXPECT_EQ(registers->config(0, 4), 0x1044'1af4u);
  EXPECT_GE(registers->config(8, 1), 1u);
  EXPECT_EQ(registers->config(0x3d, 1), 0u);
  EXPECT_EQ(registers->common(0x12, 2), 1u);
  for (const u8 type : {1, 2, 3, 5}) EXPECT_NE(registers->capability(type), 0);
}

TEST_F(DeviceTest, FeaturesOkStaysClearWithoutVersion1OrWithMoreThanIsOffered) {
  EXPECT_FALSE(registers->negotiate(0));
  EXPECT_FALSE(registers->negotiate(kVersion1 | u64{1} << 40));
  EXPECT_FALSE(registers->negotiate(kVersion1 | 1));
  EXPECT_TRUE(registers->negotiate(kVersion1));
  EXPECT_TRUE(registers->negotiate(registers->offered()));
}

TEST_F(DeviceTest, WithoutFeaturesOkThereIsNoDriverOkAndNoQueue) {
  registers->set_status(0);
  registers->set_status(kAcknowledge | kDriver | kDriverOk);
  EXPECT_EQ(registers->status(), kAcknowledge | kDriver);
  registers->enable_queue(0, queue);
  EXPECT_EQ(registers->common(0x1c, 2), 0u);
}

TEST_F(DeviceTest, FeaturesAreFixedAtFeaturesOk) {
  ASSERT_TRUE(registers->negotiate(kVersion1));
  registers->set_features(0);
  registers->set_common(8, 4, 1);
  EXPECT_EQ(registers->common(0xc, 4), 1u);
}

TEST_F(DeviceTest, BuffersBeforeDriverOkAreTakenWhenItIsSet) {
  ASSERT_TRUE(registers->negotiate(kVersion1));
  registers->enable_msix();
  registers->enable_queue(0, queue);
  device.fill(Bytes(32, std::byte{7}));
  queue.add({{0x20000, 16, true}});
  registers->ring(0);
  EXPECT_EQ(queue.used_index(), 0);
  registers->driver_ok();
  EXPECT_EQ(queue.used_index(), 1);
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(DeviceTest, AResetMakesItNew) {
  start();
  registers->set_status(0);
  EXPECT_EQ(registers->status(), 0);
  EXPECT_EQ(registers->common(0x1c, 2), 0u);
  EXPECT_EQ(registers->common(0x10, 2), 0xffffu);
  EXPECT_EQ(registers->common(0x20, 8), 0u);
  queue.add({{0x20000, 16, true}});
  device.fill(Bytes(32));
  registers->ring(0);
  EXPECT_EQ(queue.used_index(), 0);
}

TEST_F(DeviceTest, AVectorThatDoesNotExistReadsAsNone) {
  registers->set_common(0x10, 2, 2);
  EXPECT_EQ(registers->common(0x10, 2), 0xffffu);
  registers->set_common(0x10, 2, 1);
  EXPECT_EQ(registers->common(0x10, 2), 1u);
  registers->set_common(0x1a, 2, 77);
  EXPECT_EQ(registers->common(0x1a, 2), 0xffffu);
}

TEST_F(DeviceTest, AQueueThatDoesNotExistHasSizeZero) {
  registers->set_common(0x16, 2, 1);
  EXPECT_EQ(registers->common(0x18, 2), 0u);
  registers->set_common(0x18, 2, 8);
  registers->set_common(0x1c, 2, 1);
  registers->set_common(0x20, 8, ~u64{0});
  EXPECT_EQ(registers->common(0x20, 8), 0u);
  registers->ring(1);
}

TEST_F(DeviceTest, ABrokenRingCostsTheDriverItsDeviceUntilAReset) {
  start();
  device.fill(Bytes(1));
  queue.offer(99);
  registers->ring(0);
  EXPECT_TRUE(registers->status() & kNeedsReset);
  ASSERT_EQ(machine.messages.size(), 1u);
  EXPECT_EQ(machine.messages[0].second, 0x40u) << "the configuration's vector";
  EXPECT_EQ(machine.take<door::OperatorOutput>().size(), 1u);
  registers->set_status(0xff);
  EXPECT_TRUE(registers->status() & kNeedsReset);
  queue = DriverQueue(machine.memory(), 0x18000, 8);
  start();
  EXPECT_FALSE(registers->status() & kNeedsReset);
  queue.add({{0x20000, 16, true}});
  device.fill(Bytes(16, std::byte{1}));
  EXPECT_EQ(queue.used_index(), 1);
  queue.offer(99);
  device.fill(Bytes(16, std::byte{1}));
  EXPECT_TRUE(registers->status() & kNeedsReset) << "found at a delivery";
  EXPECT_TRUE(machine.take<door::OperatorOutput>().empty()) << "the operator hears it once";
}

TEST_F(DeviceTest, WithoutMsixTheStatusRegisterTellsADriverThatPolls) {
  ASSERT_TRUE(registers->negotiate(kVersion1));
  registers->enable_queue(0, queue);
  registers->driver_ok();
  device.fill(Bytes(16));
  queue.add({{0x20000, 16, true}});
  registers->ring(0);
  EXPECT_EQ(registers->read(registers->structure(3), 1), 1u);
  EXPECT_EQ(registers->read(registers->structure(3), 1), 0u) << "reading clears it";
  EXPECT_EQ(machine.take_interrupts(), 0u);
}

TEST_F(DeviceTest, TheConfigurationSpaceHasAWindowOnTheBar) {
  const u8 window = registers->capability(5);
  registers->set_config(u8(window + 4), 1, 0);
  registers->set_config(u8(window + 8), 4, kCommonAt + 0x14);
  registers->set_config(u8(window + 12), 4, 1);
  registers->set_config(u8(window + 16), 1, kAcknowledge);
  EXPECT_EQ(registers->status(), kAcknowledge);
  EXPECT_EQ(registers->config(u8(window + 16), 1), kAcknowledge);
  registers->set_config(u8(window + 8), 4, 0xffff'fffc);
  registers->set_config(u8(window + 12), 4, 4);
  EXPECT_EQ(registers->config(u8(window + 16), 4), 0xffff'ffffu);
}

TEST_F(DeviceTest, OddAccessesAnywhereInTheBarAreHarmless) {
  start();
  for (u64 offset = 0; offset < kBarBytes + 16; ++offset) {
    for (const unsigned size : {1u, 2u, 4u, 8u}) device.bar_read(kBar, offset, size);
  }
  for (u64 offset = kBarBytes + 16; offset-- > 0;) {
    for (const unsigned size : {1u, 2u, 4u, 8u}) device.bar_write(kBar, offset, size, ~u64{0});
  }
  EXPECT_EQ(device.bar_read(1, 0, 4), 0xffff'ffffu);
}

TEST_F(DeviceTest, EntropyIsGivenOnceAndAskedForWhenItIsShort) {
  EXPECT_EQ(device.wanted(), 0u) << "nobody uses it";
  start();
  EXPECT_EQ(device.wanted(), Entropy::kFull);
  queue.add({{0x20000, 24, true}});
  registers->ring(0);
  EXPECT_EQ(queue.used_index(), 0) << "the request waits";
  Bytes bytes(100);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i + 1);
  device.fill(bytes);
  ASSERT_EQ(queue.take_used().size(), 1u);
  queue.add({{0x20100, 10, true}});
  registers->ring(0);
  u8 first = 0, second = 0;
  machine.memory().load(PhysAddr(0x20000), first);
  machine.memory().load(PhysAddr(0x20100), second);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 25);
  EXPECT_EQ(device.wanted(), 0u) << "66 are left";
  queue.add({{0x20100, 10, true}});
  registers->ring(0);
  EXPECT_EQ(device.wanted(), Entropy::kFull - 56);
  queue.take_used();
  queue.add({{0x20200, 100, true}});
  registers->ring(0);
  EXPECT_EQ(queue.take_used()[0].length, 56u) << "what there is";
}

}  // namespace
}  // namespace pollux::device::virtio
