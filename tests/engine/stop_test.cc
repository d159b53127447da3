// A run says why it ended, when it ended.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

class Stops : public testing::TestWithParam<const char*> {};

// The last of 200 iterations writes to a device, which asks for a stop; the run ends there, too.
TEST_P(Stops, AStopAskedForByTheLastInstructionOfARunIsToldAtItsEnd) {
  Machine m(GetParam());
  m.long_mode();
  m.bus.stop_on_write = true;
  m.state().gpr[x86::kRsi] = 0x20000;
  m.state().gpr[x86::kRdi] = (4 << 20) - 199;
  m.state().gpr[x86::kRcx] = 250;
  m.code({0xf3, 0xa4, 0xf4});  // rep movsb; hlt
  EXPECT_EQ(m.run(200), StopReason::kRequested);
  EXPECT_EQ(m.cpu->position(), door::Position(200));
  m.bus.stop_on_write = false;
  EXPECT_EQ(m.run(251), StopReason::kPosition);
  EXPECT_EQ(m.run(400), StopReason::kHalted);
}

// Its repetitions end where the run does; what comes next has not been looked at yet, so translated code cannot go on there.
TEST_P(Stops, ARepeatedInstructionThatTheRunEndsBehindIsTheLast) {
  Machine m(GetParam());
  m.long_mode();
  m.map_at_1_gib({0x20000, 0x21000});
  m.bytes(0x20ff9, {0xb9, 112, 0, 0, 0, 0xf3, 0xa4});  // mov ecx, 112; rep movsb
  m.bytes(0x21000, {0x48, 0xff, 0xc0, 0xf4});          // inc rax; hlt
  m.state().gpr[x86::kRsi] = 0x2000;
  m.state().gpr[x86::kRdi] = 0x3000;
  m.state().rip = 0x4000'0ff9;
  m.cpu->state_changed();
  EXPECT_EQ(m.run(113), StopReason::kPosition);
  EXPECT_EQ(m.cpu->position(), door::Position(113));
  EXPECT_EQ(m.state().gpr[x86::kRax], 0u);
  EXPECT_EQ(m.state().rip, 0x4000'1000u);
  EXPECT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.cpu->position(), door::Position(115));
}

INSTANTIATE_TEST_SUITE_P(Engines, Stops, testing::Values("interpret", "translate", "check"),
                         [](const auto& named) { return std::string(named.param); });

}  // namespace
}  // namespace pollux::test::engine
