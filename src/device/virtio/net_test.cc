#include "device/virtio/net.h"

#include <gtest/gtest.h>

#include "device/virtio/driver_model.h"

namespace pollux::device::virtio {
namespace {

using memory::PhysAddr;
using test::DriverQueue;

constexpr u64 kMac = 1 << 5, kMerge = 1 << 15, kStatus = 1 << 16;

class NetTest : public testing::Test {
 protected:
  void start(u64 features = kVersion1 | kEventIndex | kMac | kMerge | kStatus) {
    bus.add(1, net);
    registers = std::make_unique<test::DriverRegisters>(bus, 1);
    ASSERT_TRUE(registers->negotiate(features));
    registers->enable_msix();
    registers->enable_queue(0, receive);
    registers->enable_queue(1, transmit);
    registers->driver_ok();
  }
  Bytes frame(std::size_t bytes, u8 first) {
    Bytes all(bytes);
    for (std::size_t i = 0; i < bytes; ++i) all[i] = std::byte(first + i);
    return all;
  }
  void add_buffers(int count, u32 bytes) {
    for (int i = 0; i < count; ++i) receive.add({{buffer, bytes, true}}), buffer += 4096;
  }
  Bytes guest(u64 at, u64 bytes) {
    Bytes all(bytes);
    machine.memory().read(PhysAddr(at), all);
    return all;
  }
  void send(const Bytes& packet, u64 at) {
    machine.memory().write(PhysAddr(at + 12), packet);
    transmit.add({{at, 12, false}, {at + 12, u32(packet.size()), false}});
  }

  test::FakeMachine machine;
  Net net{machine, machine, {2, {0x52, 0x54, 0, 1, 2, 3}}};
  PciBus bus{0xe000'0000, 0xfec0'0000};
  std::unique_ptr<test::DriverRegisters> registers;
  DriverQueue receive{machine.memory(), 0x10000, 64};
  DriverQueue transmit{machine.memory(), 0x20000, 64};
  u64 buffer = 0x100000;
};

TEST_F(NetTest, TheAddressAndTheLinkAreInItsConfiguration) {
  start();
  EXPECT_EQ(registers->device_config(0, 4), 0x0100'5452u);
  EXPECT_EQ(registers->device_config(4, 2), 0x0302u);
  EXPECT_EQ(registers->device_config(6, 2), 1u);
  net.set_link(false);
  EXPECT_EQ(registers->device_config(6, 2), 0u);
  EXPECT_EQ(machine.take_interrupts(), 1u);
  net.set_link(false);
  EXPECT_EQ(machine.take_interrupts(), 0u);
}

TEST_F(NetTest, AllPacketsAtADoorbellLeaveTogetherInOrder) {
  start();
  send(frame(60, 1), 0x40000);
  send(frame(1514, 2), 0x42000);
  send(frame(100, 3), 0x44000);
  registers->ring(1);
  const auto packets = machine.take<door::PacketOutput>();
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[0], (door::PacketOutput{2, frame(60, 1)}));
  EXPECT_EQ(packets[1].frame, frame(1514, 2));
  EXPECT_EQ(transmit.take_used().size(), 3u);
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(NetTest, PacketsThatAreNoPacketsAreUsedAndNotSent) {
  start();
  transmit.add({{0x40000, 4, false}});
  transmit.add({{0x40000, 13, false}});
  transmit.add_indirect(0x60000, std::vector<DriverQueue::Buffer>(20, {0x40000, 8192, false}));
  registers->ring(1);
  EXPECT_TRUE(machine.take<door::PacketOutput>().empty());
  EXPECT_EQ(transmit.take_used().size(), 3u);
}

TEST_F(NetTest, APacketGoesIntoABufferBehindItsHeader) {
  start();
  add_buffers(2, 2048);
  net.receive(frame(1000, 9));
  const auto used = receive.take_used();
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].length, 1012u);
  Bytes header(12);
  header[10] = std::byte{1};
  EXPECT_EQ(guest(0x100000, 12), header);
  EXPECT_EQ(guest(0x10000c, 1000), frame(1000, 9));
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(NetTest, SeveralPacketsAtOnePositionMakeOneInterrupt) {
  start();
  add_buffers(8, 2048);
  for (int i = 0; i < 8; ++i) net.receive(frame(100, u8(i)));
  EXPECT_EQ(receive.take_used().size(), 8u);
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(NetTest, ALongPacketTakesSeveralBuffers) {
  start();
  add_buffers(4, 512);
  net.receive(frame(1200, 5));
  const auto used = receive.take_used();
  ASSERT_EQ(used.size(), 3u);
  EXPECT_EQ(used[0].length + used[1].length + used[2].length, 1212u);
  EXPECT_EQ(guest(0x10000a, 1)[0], std::byte{3});
  EXPECT_EQ(guest(0x101000, 512), [&] { Bytes f = frame(1200, 5); return Bytes(f.begin() + 500, f.begin() + 1012); }());
}

TEST_F(NetTest, WithoutMergedBuffersAPacketThatDoesNotFitIsDropped) {
  start(kVersion1 | kMac);
  add_buffers(2, 512);
  net.receive(frame(1200, 5));
  EXPECT_EQ(net.dropped(), 1u);
  EXPECT_EQ(receive.take_used().size(), 1u);
  net.receive(frame(200, 5));
  EXPECT_EQ(receive.take_used().size(), 1u);
}

TEST_F(NetTest, PacketsWaitForBuffersAndTheDriverIsAskedToRing) {
  start();
  registers->ring(0);
  EXPECT_EQ(receive.device_event(), 0xffff) << "no ring wanted";
  add_buffers(1, 512);
  net.receive(frame(1200, 1));  // does not fit: the buffer is given back
  net.receive(frame(60, 2));
  EXPECT_EQ(receive.used_index(), 0);
  EXPECT_EQ(receive.device_event(), 1);
  add_buffers(3, 512);
  registers->ring(0);
  EXPECT_EQ(receive.take_used().size(), 4u);
  EXPECT_EQ(guest(0x10300c, 60), frame(60, 2));
  EXPECT_EQ(net.dropped(), 0u);
}

TEST_F(NetTest, TheBacklogIsBounded) {
  start();
  for (std::size_t i = 0; i < Net::kBacklog + 10; ++i) net.receive(frame(60, u8(i)));
  EXPECT_EQ(net.dropped(), 10u);
}

TEST_F(NetTest, WhileTheLinkIsDownNothingPasses) {
  start();
  add_buffers(1, 2048);
  net.set_link(false);
  machine.take_interrupts();
  net.receive(frame(60, 1));
  send(frame(60, 1), 0x40000);
  registers->ring(1);
  EXPECT_EQ(net.dropped(), 1u);
  EXPECT_EQ(receive.used_index(), 0);
  EXPECT_TRUE(machine.take<door::PacketOutput>().empty());
  EXPECT_EQ(transmit.take_used().size(), 1u);
}

TEST_F(NetTest, BuffersThatOverlapTheRingsDoNotHangTheHost) {
  start();
  // Every received packet overwrites the available ring that it came from.
  for (int i = 0; i < 32; ++i) receive.add({{receive.available(), 2048, true}});
  for (int i = 0; i < 100; ++i) net.receive(frame(1500, u8(i * 7)));
  SUCCEED();
}

}  // namespace
}  // namespace pollux::device::virtio
