#include "device/pic.h"

#include <gtest/gtest.h>

#include "device/test_host.h"

namespace pollux::device {
namespace {

struct PicTest : testing::Test, PicPort {
  Pic pic{*this};
  bool raised = false;
  void pic_output(bool level) override { raised = level; }

  void SetUp() override {  // as kernels do: vectors 0x30 and 0x38, all unmasked
    for (unsigned n = 0; n < 2; ++n) {
      put(n, 0, 0x11);
      put(n, 1, n ? 0x38 : 0x30);
      put(n, 1, n ? 2 : 4);
      put(n, 1, 1);
      put(n, 1, 0);
    }
  }
  void put(unsigned which, unsigned port, u8 value) { pic.controller(which).write(port, 1, value); }
  u64 get(unsigned which, unsigned port) { return pic.controller(which).read(port, 1); }
  void pulse(unsigned irq) {
    pic.input(irq).set(true);
    pic.input(irq).set(false);
  }
};

TEST_F(PicTest, ServesByPriorityAndNests) {
  pulse(3);
  pulse(1);
  EXPECT_TRUE(raised);
  EXPECT_EQ(pic.acknowledge(), 0x31);
  EXPECT_FALSE(raised) << "3 waits for 1";
  pulse(0);
  EXPECT_EQ(pic.acknowledge(), 0x30);
  put(0, 0, 0x20);
  put(0, 0, 0x20);
  EXPECT_EQ(pic.acknowledge(), 0x33);
}

TEST_F(PicTest, TheSecondComesThroughTheFirst) {
  pulse(8);
  EXPECT_EQ(pic.acknowledge(), 0x38);
  put(0, 0, 0x0b);
  EXPECT_EQ(get(0, 0), 4u) << "the cascade is in service";
  put(1, 0, 0x20);
  put(0, 0, 0x20);
  pulse(12);
  EXPECT_EQ(pic.acknowledge(), 0x3c);
}

TEST_F(PicTest, AMaskHoldsBackAndKeeps) {
  put(0, 1, 0x10);
  pulse(4);
  EXPECT_FALSE(raised);
  put(0, 1, 0);
  EXPECT_EQ(pic.acknowledge(), 0x34);
}

TEST_F(PicTest, NothingPendingIsSpurious) {
  EXPECT_EQ(pic.acknowledge(), 0x37);
  put(0, 0, 0x0b);
  EXPECT_EQ(get(0, 0), 0u);
}

TEST_F(PicTest, ALevelInputFollowsItsLine) {
  pic.trigger().write(1, 1, 0xff);
  EXPECT_EQ(pic.trigger().read(1, 1), 0xdeu) << "8 and 13 cannot be level-triggered";
  pic.input(11).set(true);
  EXPECT_TRUE(raised);
  pic.input(11).set(false);
  EXPECT_FALSE(raised);
  pic.input(11).set(true);
  EXPECT_EQ(pic.acknowledge(), 0x3b);
  put(1, 0, 0x63);  // its end, by name
  put(0, 0, 0x62);
  EXPECT_TRUE(raised) << "the line is still up";
}

TEST_F(PicTest, AutomaticEndAndRotation) {
  put(0, 0, 0x11);
  put(0, 1, 0x30);
  put(0, 1, 4);
  put(0, 1, 3);
  put(0, 0, 0x80);  // rotate in automatic end
  pulse(1);
  EXPECT_EQ(pic.acknowledge(), 0x31);
  pulse(0);
  pulse(3);
  EXPECT_EQ(pic.acknowledge(), 0x33) << "1 became the lowest, so 0 comes after 3";
}

TEST_F(PicTest, PollingTakes) {
  pulse(5);
  put(0, 0, 0x0c);
  EXPECT_EQ(get(0, 0), 0x85u);
  EXPECT_FALSE(raised);
}

TEST_F(PicTest, GoesOnFromItsSavedState) {
  pulse(5);
  Pic other(*this);
  EXPECT_TRUE(copies(pic, other));
  EXPECT_EQ(other.acknowledge(), 0x35);
}

}  // namespace
}  // namespace pollux::device
