// The engines by name, for tests of what all of them must do.
#pragma once

#include <memory>
#include <string>

#include "cpu/interpret/test_machine.h"

namespace pollux::test::engine {

using Maker = cpu::interpret::TestMachine::MakeCpu;
// "interpret" or "translate", which translates at first sight.
Maker maker(const std::string& name);

struct Machine : cpu::interpret::TestMachine {
  explicit Machine(const std::string& name) : Machine(maker(name)) {}
  explicit Machine(const Maker& make) : TestMachine(4 << 20, make) {}
};

}  // namespace pollux::test::engine
