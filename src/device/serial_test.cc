#include "device/serial.h"

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::device {
namespace {

struct SerialTest : testing::Test {
  TestHost host;
  TestLine irq;
  Serial serial{host, irq};

  void put(u64 offset, u8 value) { serial.write(offset, 1, value); }
  u8 get(u64 offset) { return u8(serial.read(offset, 1)); }
  std::string sent() {
    std::string all;
    for (const door::Output& output : host.outputs) all += as_text(std::get<door::ConsoleOutput>(output).bytes);
    return all;
  }
};

TEST_F(SerialTest, GathersALineIntoOneOutput) {
  for (const char c : std::string("hello\n")) put(0, u8(c));
  EXPECT_TRUE(host.outputs.empty());
  host.pass(serial, Serial::kGatherNs);
  EXPECT_EQ(host.outputs.size(), 1u);
  EXPECT_EQ(sent(), "hello\n");
  EXPECT_EQ(serial.deadline(), door::kNever);
}

TEST_F(SerialTest, DoesNotGatherForEver) {
  for (std::size_t i = 0; i < Serial::kGatherBytes; ++i) put(0, 'x');
  EXPECT_EQ(host.outputs.size(), 1u);
}

TEST_F(SerialTest, IsReadyToSendAndInterruptsWhenAsked) {
  EXPECT_EQ(get(5) & 0x60, 0x60);
  put(1, 2);
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(get(2) & 0xf, 2);
  EXPECT_FALSE(irq.level) << "reading the identity takes the interrupt";
  put(0, 'a');
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(irq.edges, 2u);
}

TEST_F(SerialTest, ReceivesThroughTheFifoAndTheQueueBehindIt) {
  put(2, 0xc1);  // FIFO, trigger level 14
  put(1, 1);
  serial.receive(as_bytes("0123456789abcdefghij"));
  EXPECT_TRUE(irq.level);
  EXPECT_EQ(get(2), 0xc4);
  std::string got;
  while (get(5) & 1) got += char(get(0));
  EXPECT_EQ(got, "0123456789abcdefghij");
  EXPECT_FALSE(irq.level);
}

TEST_F(SerialTest, FewBytesInterruptByTheTimeout) {
  put(2, 0xc1);
  put(1, 1);
  serial.receive(as_bytes("x"));
  EXPECT_EQ(get(2), 0xcc);
}

TEST_F(SerialTest, LoopsBackForProbes) {
  put(4, 0x1a);  // loop, OUT2, RTS
  EXPECT_EQ(get(6) & 0xf0, 0x90);
  put(0, 'q');
  EXPECT_EQ(get(0), 'q');
  EXPECT_TRUE(sent().empty());
}

TEST_F(SerialTest, HasADivisorBehindTheLatchBit) {
  put(3, 0x80);
  put(0, 1);
  put(1, 2);
  EXPECT_EQ(get(0), 1);
  EXPECT_EQ(get(1), 2);
  put(3, 3);
  EXPECT_EQ(get(1), 0);
  put(7, 0x5a);
  EXPECT_EQ(get(7), 0x5a);
}

TEST_F(SerialTest, GoesOnFromItsSavedState) {
  put(0, 'a');
  serial.receive(as_bytes("bc"));
  TestLine line;
  Serial other(host, line);
  EXPECT_TRUE(copies(serial, other));
  EXPECT_EQ(other.deadline(), serial.deadline());
}

}  // namespace
}  // namespace pollux::device
