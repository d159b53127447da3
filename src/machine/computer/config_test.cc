#include "machine/computer/config.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::machine::computer {
namespace {

Config sample() {
  Config c;
  c.memory_bytes = 64 << 20;
  c.cpus = 4;
  c.kernel = Bytes(5000, std::byte{7});
  c.initrd = Bytes(300, std::byte{8});
  c.command_line = "console=ttyS0";
  c.disks = {{1 << 20, true, "first"}, {4096, false, ""}};
  c.nics = {{{2, 0, 0, 0, 0, 1}}};
  c.rate = 12345678901;
  return c;
}

TEST(Config, SurvivesItsBytes) {
  const Result<Config> back = decode(encode(sample()));
  ASSERT_TRUE(back) << back.error().sentence;
  EXPECT_EQ(*back, sample());
}

TEST(Config, AnyChangedByteIsRefused) {
  const Bytes good = encode(sample());
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    Bytes bad = good;
    bad[random.below(bad.size())] ^= std::byte(1 + random.below(255));
    EXPECT_FALSE(decode(bad));
  }
}

TEST(Config, AnyTruncationIsRefused) {
  const Bytes good = encode(sample());
  for (std::size_t length = 0; length < good.size(); length += 13) EXPECT_FALSE(decode(ByteSpan(good).first(length)));
}

TEST(Config, WhatCannotBeAComputerIsRefusedWithASentence) {
  const auto refused = [](auto change) {
    Config c = sample();
    change(c);
    const Result<void> result = validate(c);
    return !result && result.error().kind == ErrorKind::kUsage && result.error().sentence.ends_with(".");
  };
  EXPECT_TRUE(refused([](Config& c) { c.memory_bytes = 100; }));
  EXPECT_TRUE(refused([](Config& c) { c.memory_bytes = u64{1} << 50; }));
  EXPECT_TRUE(refused([](Config& c) { c.cpus = 0; }));
  EXPECT_TRUE(refused([](Config& c) { c.cpus = 9; }));
  EXPECT_TRUE(refused([](Config& c) { c.rate = 0; }));
  EXPECT_TRUE(refused([](Config& c) { c.disks[0].size_bytes = 513; }));
  EXPECT_TRUE(refused([](Config& c) { c.disks[0].serial = "a serial number that is too long"; }));
  EXPECT_TRUE(refused([](Config& c) { c.disks.resize(17, c.disks[0]); }));
  EXPECT_TRUE(refused([](Config& c) { c.nics[0].mac[0] = 1; }));
}

}  // namespace
}  // namespace pollux::machine::computer
