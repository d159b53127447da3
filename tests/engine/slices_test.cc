// However a run is cut into slices, the machine is the same.
#include <gtest/gtest.h>

#include "base/random.h"
#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

class Slices : public testing::TestWithParam<const char*> {};

// A loop that jumps out of RAM, and runs from RAM into what is none; the handler of the invalid opcodes goes on after it.
void load_excursions(Machine& m) {
  m.long_mode();
  m.tss(0xa000);
  m.gate64(6, 0x3000);
  // inc r12; mov [rsp], r8; iretq
  m.code({0x49, 0xff, 0xc4, 0x4c, 0x89, 4, 0x24, 0x48, 0xcf}, 0x3000);
  // mov rdi, 0x20000; mov ecx, 150; rep stosb; mov ecx, 90; a REP after which RAM ends
  m.code({0xb0, 7, 0xbf, 0, 0, 2, 0, 0xb9, 150, 0, 0, 0, 0xf3, 0xaa, 0xb9, 90, 0, 0, 0, 0xf3}, (4 << 20) - 20);
  // mov r15d, 50; next: lea r8, [first]; mov eax, 0x30000000; jmp rax; first: lea r8, [second]; mov ebx, 0x3fffec;
  // jmp rbx; second: dec r15d; jnz next; hlt
  m.code({0x41, 0xbf, 50, 0, 0, 0, 0x4c, 0x8d, 5, 7, 0, 0, 0, 0xb8, 0, 0, 0, 0x30, 0xff, 0xe0, 0x4c, 0x8d, 5, 7, 0, 0,
      0, 0xbb, 0xec, 0xff, 0x3f, 0, 0xff, 0xe3, 0x41, 0xff, 0xcf, 0x75, 0xdf, 0xf4});
}

TEST_P(Slices, CodeOutsideRamIsTheSameForAll) {
  Machine reference("interpret");
  load_excursions(reference);
  ASSERT_EQ(reference.run(1 << 20), StopReason::kHalted);
  EXPECT_EQ(reference.state().gpr[x86::kR12], 100u);
  for (const u64 longest : {1, 3, 50, 400, 3000}) {
    Machine m(GetParam());
    load_excursions(m);
    Random random(longest);
    while (m.run(m.cpu->position().value + 1 + random.below(longest)) != StopReason::kHalted) {
    }
    EXPECT_EQ(m.digest(), reference.digest()) << "slices up to " << longest;
    EXPECT_EQ(m.cpu->position(), reference.cpu->position());
    EXPECT_TRUE(m.bus.reads.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, Slices, testing::Values("interpret", "translate", "check"),
                         [](const auto& named) { return std::string(named.param); });

}  // namespace
}  // namespace pollux::test::engine
