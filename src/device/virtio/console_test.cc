#include "device/virtio/console.h"

#include <gtest/gtest.h>

#include "device/virtio/driver_model.h"

namespace pollux::device::virtio {
namespace {

using memory::PhysAddr;
using test::DriverQueue;

class ConsoleTest : public testing::Test {
 protected:
  ConsoleTest() {
    bus.add(1, console);
    registers = std::make_unique<test::DriverRegisters>(bus, 1);
    EXPECT_TRUE(registers->negotiate(kVersion1));
    registers->enable_msix();
    registers->enable_queue(0, receive);
    registers->enable_queue(1, transmit);
    registers->driver_ok();
  }
  std::string guest(u64 at, u64 bytes) {
    std::string text(bytes, ' ');
    machine.memory().read(PhysAddr(at), std::as_writable_bytes(std::span(text)));
    return text;
  }

  test::FakeMachine machine;
  Console console{machine, machine};
  PciBus bus{0xe000'0000, 0xfec0'0000};
  std::unique_ptr<test::DriverRegisters> registers;
  DriverQueue receive{machine.memory(), 0x10000, 16};
  DriverQueue transmit{machine.memory(), 0x20000, 16};
};

TEST_F(ConsoleTest, WhatTheGuestWritesIsOneOutputADoorbell) {
  machine.memory().write(PhysAddr(0x30000), as_bytes("hello, world"));
  transmit.add({{0x30000, 5, false}});
  transmit.add({{0x30005, 7, false}});
  registers->ring(1);
  const auto outputs = machine.take<door::ConsoleOutput>();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(as_text(outputs[0].bytes), "hello, world");
  EXPECT_EQ(machine.take_interrupts(), 1u);
}

TEST_F(ConsoleTest, BytesWaitForBuffersAndFillThemInOrder) {
  console.receive(as_bytes("abcdefgh"));
  receive.add({{0x30000, 3, true}});
  receive.add({{0x30100, 100, true}});
  registers->ring(0);
  EXPECT_EQ(guest(0x30000, 3), "abc");
  EXPECT_EQ(guest(0x30100, 5), "defgh");
  const auto used = receive.take_used();
  ASSERT_EQ(used.size(), 2u);
  EXPECT_EQ(used[1].length, 5u);
  receive.add({{0x30200, 100, true}});
  registers->ring(0);
  EXPECT_EQ(receive.take_used().size(), 0u);
  console.receive(as_bytes("x"));
  EXPECT_EQ(receive.take_used().size(), 1u);
}

TEST_F(ConsoleTest, TheBacklogIsBounded) {
  for (int i = 0; i < 20; ++i) console.receive(Bytes(100'000, std::byte{'a'}));
  SaveVisitor save;
  save.component("console", console);
  EXPECT_LT(save.take().size(), Console::kBacklogBytes + 4096);
}

}  // namespace
}  // namespace pollux::device::virtio
