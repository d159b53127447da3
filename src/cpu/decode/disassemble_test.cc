#include "cpu/decode/disassemble.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace pollux::cpu::decode {
namespace {

ByteSpan bytes(const std::vector<u8>& from) { return std::as_bytes(std::span(from)); }

TEST(Disassemble, KnowsTextLengthAndWhereABranchGoes) {
  const Disassembled d = disassemble(CodeSize::k64, bytes({0x75, 0xf1, 0x90}), 0x1012);
  EXPECT_EQ(d.length, 2u);
  EXPECT_EQ(d.text, "jnz 0x0000000000001005");
  EXPECT_TRUE(d.goes_on);
  EXPECT_EQ(d.target, 0x1005u);
  EXPECT_EQ(disassemble(CodeSize::k64, bytes({0x06}), 0).text, "no instruction");
  EXPECT_EQ(disassemble(CodeSize::k16, bytes({0xb8, 1, 2}), 0).length, 3u);
}

TEST(Disassemble, AListingEndsWhereNothingMoreIsReached) {
  // jz +2; ret; nop; nop; jmp far away; and what follows
  const std::string text = listing(CodeSize::k64, bytes({0x74, 2, 0xc3, 0x90, 0x90, 0xe9, 0, 0, 1, 0, 0xcc, 0xcc}), 100);
  EXPECT_EQ(std::ranges::count(text, '\n'), 5);
  EXPECT_EQ(text.find("int3"), std::string::npos);
}

}  // namespace
}  // namespace pollux::cpu::decode
