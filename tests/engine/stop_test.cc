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

INSTANTIATE_TEST_SUITE_P(Engines, Stops, testing::Values("interpret", "translate", "check"),
                         [](const auto& named) { return std::string(named.param); });

}  // namespace
}  // namespace pollux::test::engine
