// A run that is asked to end early does so soon, at a boundary like any other.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

const std::atomic<bool> kAsked{true};
constexpr u64 kFar = u64{1} << 40;

class EarlyStops : public testing::TestWithParam<const char*> {};

TEST_P(EarlyStops, ARunWithoutEndEndsWhenItIsAskedTo) {
  Machine m(GetParam());
  m.long_mode();
  m.code({0x48, 0xff, 0xc0, 0xeb, 0xfb});  // next: inc rax; jmp next
  for (int i = 0; i < 10; ++i) {
    const u64 before = m.cpu->position().value;
    EXPECT_EQ(m.cpu->run(door::Position(kFar), {&kAsked, 5000}), StopReason::kEarly);
    EXPECT_GT(m.cpu->position().value, before);
    EXPECT_LT(m.cpu->position().value, before + 10'000);
  }
}

TEST_P(EarlyStops, NobodyWhoAsksIsNoRequest) {
  Machine m(GetParam());
  m.long_mode();
  m.code({0x48, 0xff, 0xc0, 0xeb, 0xfb});
  const std::atomic<bool> not_asked{false};
  EXPECT_EQ(m.cpu->run(door::Position(100'000), {&not_asked, 5000}), StopReason::kPosition);
  EXPECT_EQ(m.cpu->position(), door::Position(100'000));
}

TEST_P(EarlyStops, ARunEndsAtALookWhereItIsLongEnough) {
  Machine m(GetParam());
  m.long_mode();
  m.code({0x48, 0xff, 0xc0, 0xeb, 0xfb});
  const std::atomic<bool> not_asked{false};
  for (const std::atomic<bool>* asked : {&not_asked, static_cast<const std::atomic<bool>*>(nullptr)}) {
    const u64 enough = m.cpu->position().value + 50'000;
    EXPECT_EQ(m.cpu->run(door::Position(kFar), {asked, 5000, enough}), StopReason::kEarly);
    EXPECT_GE(m.cpu->position().value, enough);
    EXPECT_LT(m.cpu->position().value, enough + 10'000);
  }
}

// lea rsi, [0x20000]; mov edi, 0x21000; mov ecx, 3000; rep movsb; mov ebx, 400; next: add rax, rbx; mov [0x20000], rax;
// push rbx; cpuid; pop rbx; cmp ebx, 200; je over; adc rdx, rax; over: dec ebx; jnz next; hlt
void load_mixture(Machine& m) {
  m.long_mode();
  m.code({0x48, 0x8d, 0x34, 0x25, 0,    0,    2,    0,    0xbf, 0,    0x10, 2,    0,    0xb9, 0xb8, 0x0b, 0,    0,    0xf3,
          0xa4, 0xbb, 0x90, 1,    0,    0,    0x48, 1,    0xd8, 0x48, 0x89, 4,    0x25, 0,    0,    2,    0,    0x53, 0x0f,
          0xa2, 0x5b, 0x81, 0xfb, 200,  0,    0,    0,    0x74, 3,    0x48, 0x11, 0xc2, 0xff, 0xcb, 0x75, 0xe2, 0xf4});
}

TEST_P(EarlyStops, WhereverItEndsTheMachineIsTheSame) {
  Machine reference("interpret");
  load_mixture(reference);
  ASSERT_EQ(reference.run(kFar), StopReason::kHalted);
  for (const u64 look_every : {1, 30, 100, 700}) {
    Machine m(GetParam());
    load_mixture(m);
    StopReason reason;
    u64 runs = 0;
    do {
      const u64 before = m.cpu->position().value;
      reason = m.cpu->run(door::Position(kFar), {&kAsked, look_every});
      ASSERT_TRUE(reason != StopReason::kEarly || m.cpu->position().value > before);
      ++runs;
    } while (reason == StopReason::kEarly);
    EXPECT_EQ(reason, StopReason::kHalted);
    EXPECT_GT(runs, 1u) << "a look every " << look_every;
    EXPECT_EQ(m.digest(), reference.digest()) << "a look every " << look_every;
  }
}

// A loop that leaves its traces for looks, behind the first instruction that makes flags, and goes on in them.
template <class Load>
void expect_looks_lose_nothing(const char* engine, Load load) {
  Machine reference("interpret");
  load(reference);
  ASSERT_EQ(reference.run(kFar), StopReason::kHalted);
  const std::atomic<bool> not_asked{false};
  for (const u64 look_every : {7, 10, 30, 101, 700}) {
    Machine m(engine);
    load(m);
    StopReason reason;
    do {
      const std::atomic<bool>* const asked = m.cpu->position().value % 3 ? &kAsked : &not_asked;
      reason = m.cpu->run(m.cpu->position() + 300, {asked, look_every});
    } while (reason == StopReason::kEarly || reason == StopReason::kPosition);
    EXPECT_EQ(reason, StopReason::kHalted);
    EXPECT_EQ(m.digest(), reference.digest()) << "a look every " << look_every;
  }
}

TEST_P(EarlyStops, ALookLosesNoFlagsThatOnlyAFaultShows) {
  expect_looks_lose_nothing(GetParam(), [](Machine& m) {
    m.long_mode();
    // mov r8, [rsp + 24]; add r9, r8; rol r9, 1; add rsp, 8; add qword [rsp], 3; iretq
    m.code({0x4c, 0x8b, 0x44, 0x24, 0x18, 0x4d, 0x01, 0xc1, 0x49, 0xd1, 0xc1,
            0x48, 0x83, 0xc4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x03, 0x48, 0xcf},
           0x3000);
    m.gate64(14, 0x3000);
    // mov rsi, 0x4000000000; mov ebx, 2000; next: mov r15, rbx; shl r15d, 27; mov rax, r15; mov rcx, [rsi]; sub ebx, 1;
    // jnz next; hlt
    m.code({0x48, 0xbe, 0,    0,    0,    0,    0x40, 0,    0,    0,    0xbb, 0xd0, 7,    0,    0,    0x49, 0x89,
            0xdf, 0x41, 0xc1, 0xe7, 0x1b, 0x4c, 0x89, 0xf8, 0x48, 0x8b, 0x0e, 0x83, 0xeb, 0x01, 0x75, 0xee, 0xf4});
  });
}

TEST_P(EarlyStops, ALookLosesNoRegister) {
  expect_looks_lose_nothing(GetParam(), [](Machine& m) {
    m.long_mode();
    // mov ebx, 20000; next: movzx r15d, bx; add rcx, rbx; adc rdx, r15; sub ebx, 1; jnz next; hlt
    m.code({0xbb, 0x20, 0x4e, 0,    0,    0x44, 0x0f, 0xb7, 0xfb, 0x48, 0x01,
            0xd9, 0x4c, 0x11, 0xfa, 0x83, 0xeb, 0x01, 0x75, 0xf1, 0xf4});
  });
}

TEST_P(EarlyStops, ALookAtTheEndOfAPageLosesNoPage) {
  expect_looks_lose_nothing(GetParam(), [](Machine& m) {
    m.long_mode();
    m.state().gpr[3] = 20'000;
    // next: add rax, rbx; (page) sub ebx, 1; jnz next; hlt
    m.code({0x48, 0x01, 0xd8, 0x83, 0xeb, 0x01, 0x75, 0xf8, 0xf4}, 0x3ffd);
    m.state().rip = 0x3ffd;
  });
}

// A delivery retires nothing: behind one, the machine is not as a run to that position leaves it.
TEST_P(EarlyStops, NoneIsBetweenADeliveryAndTheHandler) {
  const auto load = [](Machine& m) {
    m.long_mode();
    // add qword [rsp], 2; iretq
    m.code({0x48, 0x83, 4, 0x24, 2, 0x48, 0xcf}, 0x3000);
    m.gate64(6, 0x3000);
    // iretq
    m.code({0x48, 0xcf}, 0x3100);
    m.gate64(0x40, 0x3100);
    m.state().rflags |= x86::kIf;
    // mov ebx, 2000; next: inc eax; ud2; dec ebx; jnz next; hlt
    m.code({0xbb, 0xd0, 7, 0, 0, 0xff, 0xc0, 0x0f, 0x0b, 0xff, 0xcb, 0x75, 0xf8, 0xf4});
  };
  for (const u64 look_every : {1, 2, 7, 30}) {
    Machine m(GetParam()), reference("interpret");
    load(m), load(reference);
    for (unsigned runs = 0;; ++runs) {
      const bool interrupt = runs % 5 == 0;
      for (Machine* each : {&m, &reference}) each->cpu->set_interrupt_line(interrupt);
      const StopReason reason = m.cpu->run(door::Position(kFar), {&kAsked, look_every});
      if (reason == StopReason::kHalted) break;
      ASSERT_EQ(reason, StopReason::kEarly);
      ASSERT_EQ(reference.run(m.cpu->position().value), StopReason::kPosition);
      ASSERT_EQ(m.digest(), reference.digest()) << "at " << m.cpu->position().value << ", a look every " << look_every;
    }
  }
}

// Instructions that take long are counted, too, and the repetitions of one.
TEST_P(EarlyStops, SlowInstructionsDoNotPutItOff) {
  Machine m(GetParam());
  m.long_mode();
  m.code({0x0f, 0xa2, 0xeb, 0xfc});  // next: cpuid; jmp next
  EXPECT_EQ(m.cpu->run(door::Position(kFar), {&kAsked, 100'000}), StopReason::kEarly);
  m.code({0xb9, 0, 0, 0x10, 0, 0x48, 0x31, 0xff, 0xbf, 0, 0, 2, 0, 0xf3, 0xaa, 0xf4});  // rep stosb of 1 MiB
  const u64 before = m.cpu->position().value;
  EXPECT_EQ(m.cpu->run(door::Position(kFar), {&kAsked, 5000}), StopReason::kEarly);
  EXPECT_LT(m.cpu->position().value, before + 10'000);
}

// Where a run ends is part of the machine's inputs; a stop that a device asked for may not be told at another position.
TEST_P(EarlyStops, AStopThatADeviceAskedForIsToldFirst) {
  const auto stops = [](const char* engine, EarlyStop early) {
    Machine m(engine);
    m.long_mode();
    // mov ecx, 300; next: out 0x82, al; dec ecx; jnz next; hlt
    m.code({0xb9, 0x2c, 1, 0, 0, 0xe6, 0x82, 0xff, 0xc9, 0x75, 0xfa, 0xf4});
    std::vector<u64> at;
    StopReason reason;
    do {
      reason = m.cpu->run(door::Position(kFar), early);
      if (reason == StopReason::kRequested) at.push_back(m.cpu->position().value);
    } while (reason != StopReason::kHalted);
    return at;
  };
  const auto expected = stops("interpret", {});
  ASSERT_EQ(expected.size(), 300u);
  for (const u64 look_every : {1, 2, 3, 100}) EXPECT_EQ(stops(GetParam(), {&kAsked, look_every}), expected);
}

INSTANTIATE_TEST_SUITE_P(Engines, EarlyStops, testing::Values("interpret", "translate", "check"),
                         [](const auto& named) { return std::string(named.param); });

}  // namespace
}  // namespace pollux::test::engine
