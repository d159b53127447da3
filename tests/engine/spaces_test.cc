// Numbers for contexts, which code that runs may hold in many places.
#include "cpu/translate/spaces.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace pollux::cpu::translate {
namespace {

TEST(Spaces, WhoKeepsItsNumberIsFoundByIt) {
  const auto spaces = std::make_unique<Spaces>();
  std::map<u64, unsigned> numbers;
  for (u64 n = 1; spaces->has_room(); ++n) {
    const u64 context = n * n * n;  // some want the place of others
    numbers[context] = spaces->number(context);
    ASSERT_NE(numbers[context], 0u);
  }
  for (const auto& [context, number] : numbers) ASSERT_EQ(spaces->number(context), number);
  const auto lives = [](u64 context) { return context % 3 == 0; };
  spaces->keep(lives);
  unsigned kept = 0;
  for (const auto& [context, number] : numbers) {
    if (!spaces->has(number)) continue;
    ASSERT_TRUE(lives(context));
    ASSERT_EQ(spaces->number(context), number);
    ++kept;
  }
  EXPECT_GT(kept, 0u);
}

}  // namespace
}  // namespace pollux::cpu::translate
