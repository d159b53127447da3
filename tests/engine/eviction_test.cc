// A program whose translations do not fit: what is dropped to make room takes nothing else along, and nothing leads
// there.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

constexpr u64 kPages = 256, kInPage = 15, kFirst = 0x200000;  // functions, each as long as a page's sixteenth
constexpr u64 kFunction = memory::kPageSize / (kInPage + 1);
constexpr u32 kTurns = 200'000;

void put(std::vector<u8>& code, std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); }

// add rax, number; rol rax, 7; xor rsi, 0x800; add r8, [rsi - 8]; add r8, [rsi + 4], across a page every other time;
// call the next page's counter; dec ecx; jnz over; hlt; over: test al, 1; jnz one; test al, 6; jz other; and to one of
// any page, as rax says: mov rdx, rax; shr rdx, 21; and edx, 0xff700; lea rdi, [rdx + 1 GiB]; jmp rdi
std::vector<u8> function(u64 page, u64 number) {
  const u64 here = page * memory::kPageSize + number * kFunction;
  std::vector<u8> code;
  const auto put_distance = [&](u64 to_page, u64 to) {
    put32(code, to_page % kPages * memory::kPageSize + to * kFunction - (here + code.size() + 4));
  };
  put(code, {0x48, 0x05}), put32(code, 0x1234'5677 * (here + 1) >> 8 & 0x7fff'ffff);
  put(code, {0x48, 0xc1, 0xc0, 0x07, 0x48, 0x81, 0xf6, 0, 0x08, 0, 0, 0x4c, 0x03, 0x46, 0xf8, 0x4c, 0x03, 0x46, 0x04});
  put(code, {0xe8}), put_distance(page + 1, kInPage);
  put(code, {0xff, 0xc9, 0x75, 0x01, 0xf4, 0xa8, 0x01, 0x0f, 0x85}), put_distance(page, (number * 5 + 3) % kInPage);
  put(code, {0xa8, 0x06, 0x0f, 0x84}), put_distance(page, (number + 1) % kInPage);
  put(code, {0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 0x15, 0x81, 0xe2, 0, 0xf7, 0x0f, 0});
  put(code, {0x48, 0x8d, 0xba, 0, 0, 0, 0x40, 0xff, 0xe7});
  return code;
}

void run(Machine& m) {
  m.long_mode();
  m.map_at_1_gib({});
  for (u64 page = 0; page < kPages; ++page) {
    const u64 at = kFirst + page * memory::kPageSize;
    m.put<u64>(0x14000 + 8 * page, at | 3);
    for (u64 n = 0; n < kInPage; ++n) m.bytes(at + n * kFunction, function(page, n));
    m.bytes(at + kInPage * kFunction, {0x48, 0xff, 0xc3, 0xc3});  // the counter: inc rbx; ret
  }
  m.state().gpr[x86::kRcx] = kTurns;
  m.state().gpr[x86::kRsi] = 0x2ffc;
  m.code({0xbf, 0, 0, 0, 0x40, 0xff, 0xe7});  // mov edi, 1 GiB; jmp rdi
  ASSERT_EQ(m.run(u64{1} << 40), cpu::StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRbx], kTurns);
}

TEST(Evictions, AProgramThatDoesNotFitRunsAsInTheInterpreter) {
  Machine reference("interpret"), m("translate");
  run(reference);
  run(m);
  EXPECT_EQ(m.state().gpr[x86::kRax], reference.state().gpr[x86::kRax]);
  EXPECT_GT(m.counted("engine.evictions"), 10u);
}

}  // namespace
}  // namespace pollux::test::engine
