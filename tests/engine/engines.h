// The engines by name, for tests of what all of them must do.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cpu/check/make_checker.h"
#include "cpu/interpret/test_machine.h"

namespace pollux::test::engine {

using Maker = cpu::interpret::TestMachine::MakeCpu;
// "interpret"; "translate", which translates at first sight; or "check", which aborts when these two differ.
Maker maker(const std::string& name);
cpu::check::MakeSubject translator();
Maker checker(const cpu::check::MakeSubject& subject, const cpu::check::OnDifference& on_difference);

inline void put32(std::vector<u8>& code, u64 value) {
  for (unsigned n = 0; n < 32; n += 8) code.push_back(u8(value >> n));
}

struct Machine : cpu::interpret::TestMachine {
  explicit Machine(const std::string& name) : Machine(maker(name)) {}
  explicit Machine(const Maker& make) : TestMachine(4 << 20, make) {}

  // One of the engine's counters, by its JSON name; 0 when it has none such.
  u64 counted(std::string_view name) const {
    for (const auto& [known, value] : cpu->counters()) {
      if (known == name) return value;
    }
    return 0;
  }

  // In long mode: physical pages of 4 KiB from 1 GiB on, one after the other, through the table at 0x14000.
  void map_at_1_gib(std::initializer_list<u64> pages) {
    put<u64>(0x11008, 0x13000 | 7);
    put<u64>(0x13000, 0x14000 | 7);
    u64 entry = 0x14000;
    for (const u64 page : pages) put<u64>(std::exchange(entry, entry + 8), page | 3);
  }
};

}  // namespace pollux::test::engine
