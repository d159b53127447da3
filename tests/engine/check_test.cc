// The engine that checks another finds what is wrong with it, and says what that was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "engines.h"

namespace pollux::test::engine {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

struct Found {
  std::string report;
};
[[noreturn]] void throw_it(const std::string& report) { throw Found{report}; }

// A translator that does something wrong behind its runs, and perhaps its steps, that pass position 1000.
class Broken final : public cpu::check::Subject {
 public:
  enum class When : u8 { kInRuns, kAlways };
  using Fault = std::function<void(cpu::Cpu&, memory::GuestMemory&)>;
  Broken(memory::GuestMemory& memory, cpu::Bus& bus, Fault fault, When when)
      : inner_(translator()(memory, bus)), memory_(memory), fault_(std::move(fault)), when_(when) {}
  cpu::Cpu& cpu() override { return cpu_; }
  const char* name() const override { return inner_->name(); }
  cpu::StopReason step(door::Position until, ByteSpan& code) override {
    const auto step = [&] { return inner_->step(until, code); };
    return when_ == When::kAlways ? spoiled(step) : step();
  }

 private:
  template <class Run>
  cpu::StopReason spoiled(Run run) {
    const u64 before = inner_->cpu().position().value;
    const cpu::StopReason reason = run();
    if (before < 1000 && inner_->cpu().position().value >= 1000) fault_(inner_->cpu(), memory_);
    return reason;
  }
  struct Outer final : cpu::Cpu {
    explicit Outer(Broken& b) : broken(b) {}
    cpu::Cpu& inner() const { return broken.inner_->cpu(); }
    cpu::StopReason run(door::Position until, EarlyStop early = {}) override {
      return broken.spoiled([&] { return inner().run(until, early); });
    }
    door::Position position() const override { return inner().position(); }
    void set_position(door::Position at) override { inner().set_position(at); }
    x86::State& state() override { return inner().state(); }
    void state_changed() override { inner().state_changed(); }
    void set_interrupt_line(bool raised) override { inner().set_interrupt_line(raised); }
    void raise_nmi() override { inner().raise_nmi(); }
    void request_stop() override { inner().request_stop(); }
    void visit(Visitor& v) override { inner().visit(v); }
    Broken& broken;
  };

  std::unique_ptr<cpu::check::Subject> inner_;
  memory::GuestMemory& memory_;
  Fault fault_;
  When when_;
  Outer cpu_{*this};
};

// mov ebx, 2000; next: add rax, rbx; mov [0x20000], rax; dec ebx; jnz next; hlt
void load_loop(Machine& m) {
  m.long_mode();
  m.code({0xbb, 0xd0, 7, 0, 0, 0x48, 1, 0xd8, 0x48, 0x89, 4, 0x25, 0, 0, 2, 0, 0xff, 0xcb, 0x75, 0xf1, 0xf4});
}

std::string report_of(const Broken::Fault& fault, Broken::When when = Broken::When::kAlways) {
  const auto subject = [&](memory::GuestMemory& memory, cpu::Bus& bus) {
    return std::make_unique<Broken>(memory, bus, fault, when);
  };
  Machine m(checker(subject, throw_it));
  load_loop(m);
  try {
    m.run(100000);
  } catch (const Found& found) {
    return found.report;
  }
  return "no difference";
}

TEST(Check, TellsTheRegisterThatDiffersWithTheCodeThatWasExecuted) {
  const std::string report = report_of([](cpu::Cpu& cpu, memory::GuestMemory&) { cpu.state().gpr[x86::kRcx] ^= 0x40; });
  EXPECT_THAT(report, AllOf(HasSubstr("the engines differ"), ContainsRegex("From position (9[0-9][0-9]|1000), where"),
                            ContainsRegex("\\* rcx +0x0+  +0x0+40\n"), ContainsRegex("    rsi +0x0+  +0x0+\n"),
                            ContainsRegex("guest code.*\n +1005  48 01 d8 +add rax, rbx"),
                            ContainsRegex("host code\n +0  .*\n.*\n")));
}

TEST(Check, TellsTheWordOfMemoryThatDiffers) {
  const std::string report = report_of([](cpu::Cpu&, memory::GuestMemory& memory) {
    memory.store(memory::PhysAddr(0x30008), u64{0x77});
  });
  EXPECT_THAT(report, ContainsRegex("\\* \\[30008\\] +0x0+  +0x0+77\n"));
}

TEST(Check, TellsWhenOneDoesNotGoAsFar) {
  const std::string report = report_of([](cpu::Cpu& cpu, memory::GuestMemory&) { cpu.set_position(cpu.position() + 1); });
  EXPECT_THAT(report, ContainsRegex("\\* (position|rip) "));
}

TEST(Check, TellsTheShortestRunWhenTheStepsAgree) {
  const auto fault = [](cpu::Cpu& cpu, memory::GuestMemory&) { cpu.state().gpr[x86::kRdx] = 1; };
  EXPECT_THAT(report_of(fault, Broken::When::kInRuns),
              AllOf(HasSubstr("Between positions 0 and 1000. "), HasSubstr("in small steps they agree"),
                    ContainsRegex("\\* rdx +0x0+600  +0x0+1\n"), ContainsRegex("up to there\n(.*\n)+.*mov \\[0x0+20000\\], rax\n")));
}

// As of a translation that was kept too long, and is not any more.
TEST(Check, TellsTheSliceWhenNothingThatDiffersComesAgain) {
  bool done = false;
  const std::string report = report_of([&](cpu::Cpu& cpu, memory::GuestMemory&) {
    if (!std::exchange(done, true)) cpu.state().gpr[x86::kRdx] = 1;
  });
  EXPECT_THAT(report, AllOf(HasSubstr("Between positions 0 and 3000. "), ContainsRegex("\\* rdx +0x0+600  +0x0+1\n")));
}

TEST(Check, HasTheCountersOfItsTranslator) {
  Machine m("check");
  load_loop(m);
  m.run(100000);
  const auto counters = m.cpu->counters();
  const auto translated = std::ranges::find(counters, "engine.translated_instructions", &std::pair<std::string, u64>::first);
  ASSERT_NE(translated, counters.end());
  EXPECT_GT(translated->second, 1000u);
}

TEST(Check, EndsWithTheDigestOfTheOtherEngines) {
  u64 digest[3];
  u64 n = 0;
  for (const char* name : {"interpret", "translate", "check"}) {
    Machine m(name);
    load_loop(m);
    EXPECT_EQ(m.run(100000), cpu::StopReason::kHalted);
    digest[n++] = m.digest();
  }
  EXPECT_EQ(digest[0], digest[1]);
  EXPECT_EQ(digest[0], digest[2]);
}

// Devices see each access once, at its position, whoever else executes it.
TEST(Check, AsksTheBusOnce) {
  std::vector<u64> positions[2];
  u64 n = 0;
  for (const char* name : {"interpret", "check"}) {
    Machine m(name);
    m.long_mode();
    // mov ecx, 40; next: out 0x80, al; mov [0x30000000], ecx; mov edx, [0x30000000]; in eax, 0x60; loop next; hlt
    m.code({0xb9, 40, 0, 0, 0, 0xe6, 0x80, 0x89, 0xc, 0x25, 0, 0, 0, 0x30, 0x8b, 0x14, 0x25, 0, 0, 0, 0x30, 0xe5, 0x60, 0xe2,
        0xec, 0xf4});
    EXPECT_EQ(m.run(100000), cpu::StopReason::kHalted);
    for (const auto& accesses : {m.bus.writes, m.bus.reads}) {
      for (const auto& access : accesses) positions[n].push_back(access.position);
    }
    ++n;
  }
  EXPECT_EQ(positions[0].size(), 120u);
  EXPECT_EQ(positions[0], positions[1]);
}

// A device that writes to memory when it is told to: to a page that the guest has just written, and to another.
struct DmaBus : cpu::interpret::TestBus {
  void port_write(u16 port, unsigned size, u32 value) override {
    TestBus::port_write(port, size, value);
    memory->store(memory::PhysAddr(0x20000 + 8 * (value & 7)), u64{value} * 3);
    memory->store(memory::PhysAddr(0x21ffe), u64{value} << 20);
  }
  memory::GuestMemory* memory = nullptr;
};

TEST(Check, WhatDevicesWriteIsSeenByBoth) {
  u64 digest[2];
  u64 n = 0;
  for (const char* name : {"interpret", "check"}) {
    DmaBus bus;
    Machine m([&](memory::GuestMemory& memory, cpu::Bus&) {
      bus.memory = &memory;
      return maker(name)(memory, bus);
    });
    bus.cpu = m.cpu.get();
    m.long_mode();
    // mov ecx, 40; next: mov [0x20000], rcx; mov eax, ecx; out 0x80, eax; add rbx, [0x20000]; add rbx, [0x20018]; add rbx,
    // [0x22000]; loop next; hlt
    m.code({0xb9, 40, 0, 0, 0, 0x48, 0x89, 0xc, 0x25, 0, 0, 2, 0, 0x89, 0xc8, 0xe7, 0x80, 0x48, 3, 0x1c, 0x25, 0, 0, 2, 0, 0x48,
        3, 0x1c, 0x25, 0x18, 0, 2, 0, 0x48, 3, 0x1c, 0x25, 0, 0x20, 2, 0, 0xe2, 0xda, 0xf4});
    EXPECT_EQ(m.run(100000), cpu::StopReason::kHalted);
    EXPECT_NE(m.state().gpr[x86::kRbx], 0u);
    digest[n++] = m.digest();
  }
  EXPECT_EQ(digest[0], digest[1]);
}

}  // namespace
}  // namespace pollux::test::engine
