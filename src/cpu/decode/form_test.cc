#include "cpu/decode/form.h"

#include <gtest/gtest.h>

#include <array>
#include <unordered_map>

#include "base/random.h"

namespace pollux::cpu::decode {
namespace {

// A decoder that remembers every form.
struct Forms {
  std::unordered_map<u64, Decoded> known;
  u64 filled = 0;

  DecodeStatus decode(CodeSize size, ByteSpan bytes, Decoded& out) {
    const u64 key = form_key(size, bytes);
    if (const auto form = known.find(key); key && form != known.end()) {
      ++filled;
      out = form->second;
      return fill_form(bytes, out);
    }
    const DecodeStatus status = decode::decode(size, bytes, out);
    if (key && status == DecodeStatus::kOk && can_be_form(key, out)) known.emplace(key, out);
    return status;
  }
};

TEST(Form, AnInstructionFilledIntoItsFormIsTheOneThatIsDecoded) {
  Random random(1);
  Forms forms;
  constexpr std::array<u8, 11> kPrefixes = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x3e, 0x64, 0x65, 0x48, 0x41};
  for (unsigned n = 0; n < 400'000; ++n) {
    std::array<std::byte, 15> bytes;
    for (std::byte& b : bytes) b = std::byte(random.next());
    unsigned at = 0;
    while (at < 4 && random.next() % 3 == 0) bytes[at++] = std::byte(kPrefixes[random.next() % kPrefixes.size()]);
    if (random.next() % 3 == 0) bytes[at++] = std::byte(0x0f);
    const CodeSize size = CodeSize(n % 8 < 6 ? 2 : n % 8 - 6);
    const ByteSpan given(bytes.data(), random.next() % 8 ? 15 : random.next() % 16);
    Decoded decoded, filled;
    const DecodeStatus wanted = decode(size, given, decoded);
    const DecodeStatus status = forms.decode(size, given, filled);
    ASSERT_EQ(status, wanted) << n;
    if (wanted != DecodeStatus::kOk) continue;
    ASSERT_TRUE(filled == decoded) << "case " << n << ", mnemonic " << decoded.mnemonic;
  }
  EXPECT_GT(forms.filled, 100'000u);
}

TEST(Form, BytesThatEndBeforeTheirFormHaveNone) {
  constexpr std::array<std::byte, 3> kModrmWithoutSib = {std::byte(0x48), std::byte(0x8b), std::byte(0x44)};
  EXPECT_EQ(form_key(CodeSize::k64, kModrmWithoutSib), 0u);
  EXPECT_EQ(form_key(CodeSize::k64, ByteSpan()), 0u);
}

}  // namespace
}  // namespace pollux::cpu::decode
