#include "session/divergence.h"

#include <gtest/gtest.h>

#include "machine/counter_machine.h"
#include "machine/test_door.h"
#include "session/mark.h"

namespace pollux::session {
namespace {

TEST(Divergence, EqualMachinesHaveNoDifference) {
  machine::CounterMachine one({});
  machine::CounterMachine other({});
  EXPECT_EQ(first_difference(one, other), "");
  EXPECT_EQ(different_components(one, make_mark(other)), "");
}

TEST(Divergence, TheFirstFieldThatDiffersIsNamedWithBothValues) {
  machine::CounterMachine one({});
  machine::CounterMachine other({});
  other.deliver(machine::TestDoor::key(), door::ClockInput{door::VirtualNs(0x77), u64{1} << 32});
  const std::string difference = first_difference(one, other);
  EXPECT_EQ(difference.substr(0, 15), "counter: clock.") << difference;
  EXPECT_NE(difference.find(" in one and "), std::string::npos) << difference;
  EXPECT_EQ(different_components(one, make_mark(other)), "counter");
}

TEST(Divergence, AMarkWithoutComponentsNamesNone) {
  machine::CounterMachine one({});
  EXPECT_EQ(different_components(one, {1, {}}), "");
}

}  // namespace
}  // namespace pollux::session
