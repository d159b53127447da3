// The engines by name, for tests of what all of them must do.
#pragma once

#include <memory>
#include <string>

#include "cpu/check/make_checker.h"
#include "cpu/interpret/test_machine.h"

namespace pollux::test::engine {

using Maker = cpu::interpret::TestMachine::MakeCpu;
// "interpret"; "translate", which translates at first sight; or "check", which aborts when these two differ.
Maker maker(const std::string& name);
cpu::check::MakeSubject translator();
Maker checker(const cpu::check::MakeSubject& subject, const cpu::check::OnDifference& on_difference);

struct Machine : cpu::interpret::TestMachine {
  explicit Machine(const std::string& name) : Machine(maker(name)) {}
  explicit Machine(const Maker& make) : TestMachine(4 << 20, make) {}
};

}  // namespace pollux::test::engine
