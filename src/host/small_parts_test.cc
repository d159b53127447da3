// The parts of this folder that are values: keys, scrollback, addresses, memory policy; and whole files.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "host/code_memory.h"
#include "host/console_keys.h"
#include "host/file.h"
#include "host/host_test_tools.h"
#include "host/log_file.h"
#include "host/mac.h"
#include "host/memory_region.h"
#include "host/scrollback.h"
#include "host/wait_times.h"

namespace pollux::host {
namespace {

using testing::HasSubstr;

struct Fed {
  std::string to_guest;
  std::vector<ConsoleCommand> commands;
};
Fed feed(ConsoleKeys& keys, std::string_view typed) {
  Bytes to_guest;
  Fed fed;
  keys.feed(as_bytes(typed), to_guest, fed.commands);
  fed.to_guest = as_text(to_guest);
  return fed;
}

TEST(WaitTimes, PercentilesAreWithinASixteenthAndTheLongestIsExact) {
  WaitTimes waits;
  EXPECT_EQ(waits.percentile_ns(99), 0u);
  for (u64 ns = 1; ns <= 1000; ++ns) waits.add(ns);
  for (const unsigned percent : {1, 50, 90, 99}) {
    EXPECT_GE(waits.percentile_ns(percent), percent * 10);
    EXPECT_LE(waits.percentile_ns(percent), percent * 10 * 17 / 16);
  }
  EXPECT_EQ(waits.percentile_ns(100), 1000u);
  waits.add(~u64{0});
  EXPECT_EQ(waits.longest_ns(), ~u64{0});
  EXPECT_EQ(waits.percentile_ns(100), ~u64{0});
}

TEST(ConsoleKeys, OrdinaryKeysAndCtrlCAreTheGuests) {
  ConsoleKeys keys;
  EXPECT_EQ(feed(keys, "ls\r\x03").to_guest, "ls\r\x03");
}

TEST(ConsoleKeys, CtrlAXLeavesAlsoWhenTheKeysComeApart) {
  ConsoleKeys keys;
  EXPECT_EQ(feed(keys, "a\x01").to_guest, "a");
  const Fed fed = feed(keys, "xb");
  EXPECT_EQ(fed.commands, std::vector{ConsoleCommand::kLeave});
  EXPECT_EQ(fed.to_guest, "b");
}

TEST(ConsoleKeys, CtrlABAndCtrlATwiceSendOneAndUnknownKeysAreSwallowed) {
  ConsoleKeys keys;
  EXPECT_EQ(feed(keys, "\x01"
                       "b\x01\x01\x01zc")
                .to_guest,
            "\x01\x01"
            "c");
  EXPECT_EQ(feed(keys, "\x01p").commands, std::vector{ConsoleCommand::kPowerButton});
  EXPECT_EQ(feed(keys, "\x01h").commands, std::vector{ConsoleCommand::kHelp});
}

TEST(Scrollback, KeepsTheLastBytesAndTheirPlaces) {
  Scrollback scrollback(8);
  scrollback.append(as_bytes("abcdef"));
  EXPECT_EQ(as_text(scrollback.read(2)), "cdef");
  scrollback.append(as_bytes("ghij"));
  EXPECT_EQ(scrollback.begin(), 2u);
  EXPECT_EQ(as_text(scrollback.read(2)), "cdefgh");
  EXPECT_EQ(as_text(scrollback.read(8)), "ij");
  EXPECT_TRUE(scrollback.read(10).empty());
  scrollback.append(as_bytes("0123456789AB"));
  EXPECT_EQ(scrollback.end(), 22u);
  std::string all;
  for (u64 at = scrollback.begin(); at < scrollback.end(); all += as_text(scrollback.read(at)), at = scrollback.begin() + all.size()) {
  }
  EXPECT_EQ(all, "456789AB");
}

TEST(Mac, IsReadAndWritten) {
  EXPECT_EQ(format(*parse_mac("52:54:00:aB:cD:0f")), "52:54:00:ab:cd:0f");
}

TEST(Mac, WhatIsNotOneIsRefused) {
  for (const char* text : {"", "52:54:00:12:34", "52:54:00:12:34:5g", "525400123456", "52-54-00-12-34-56", "52:54:00:12:34:567", "+2:54:00:12:34:56"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
  EXPECT_THAT(parse_mac("01:00:5e:00:00:01").error().sentence, HasSubstr("group address"));
}

TEST(Mac, TheDefaultDependsOnNameAndCardAlone) {
  EXPECT_EQ(default_mac("web", 0), default_mac("web", 0));
  EXPECT_NE(default_mac("web", 0), default_mac("web", 1));
  EXPECT_NE(default_mac("web", 0), default_mac("db", 0));
  EXPECT_EQ(format(default_mac("web", 0)).substr(0, 9), "52:54:00:");
}

TEST(CodeMemory, IsOneMemoryAtTwoAddressesAndKeepsWhatIsThereWhenItIsAboutToBeFilled) {
  constexpr u64 kBytes = u64{4} << 20, kStretch = u64{1} << 20;
  const auto code = map_code_memory(kBytes);
  ASSERT_TRUE(code);
  for (u64 at = 0; at < kBytes; at += kStretch) {
    code->write[at] = u8(at / kStretch + 1);
    code->about_to_fill(code->write + at, kStretch);
  }
  for (u64 at = 0; at < kBytes; at += kStretch) {
    EXPECT_EQ(code->write[at], at / kStretch + 1);
    EXPECT_EQ(code->execute[at], at / kStretch + 1);
  }
}

TEST(Memory, MoreThanTheHostHasIsRefusedWithBothNumbers) {
  EXPECT_TRUE(check_memory(u64{1} << 30, u64{1} << 30));
  const auto refused = check_memory(u64{4} << 30, u64{1} << 30);
  EXPECT_THAT(refused.error().sentence, HasSubstr("4096 MiB"));
  EXPECT_THAT(refused.error().sentence, HasSubstr("1024 MiB"));
  EXPECT_FALSE(map_region(u64{1} << 50));
  EXPECT_GT(available_memory_bytes(), u64{16} << 20);
}

TEST(Memory, ARegionIsZeroAndWritable) {
  const auto region = map_region(4 << 20);
  ASSERT_TRUE(region);
  EXPECT_EQ(region->size, u64{4} << 20);
  EXPECT_EQ(region->base.get()[(4 << 20) - 1], std::byte{0});
  region->base.get()[12345] = std::byte{1};
}

TEST(File, IsReplacedAtOnceAndLeavesNothingBeside) {
  TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "f", as_bytes("one")));
  ASSERT_TRUE(write_file_atomically(folder / "f", as_bytes("two"), 0600));
  EXPECT_EQ(as_text(*read_file(folder / "f", "the file")), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / ""), {}), 1);
  EXPECT_THAT(write_file_atomically(folder / "no/f", {}).error().sentence, HasSubstr("cannot be written"));
}

TEST(File, OnlyTheFirstMakerMakesIt) {
  TemporaryFolder folder;
  EXPECT_EQ(*create_file(folder / "f", as_bytes("first")), Created::kNew);
  EXPECT_EQ(*create_file(folder / "f", as_bytes("second")), Created::kExists);
  EXPECT_EQ(as_text(*read_file(folder / "f", "the file")), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / ""), {}), 1);
}

TEST(File, WhatCannotBeReadHasASentence) {
  TemporaryFolder folder;
  EXPECT_EQ(read_file(folder / "k", "the kernel").error().sentence, "the kernel " + (folder / "k") + " does not exist: check the path");
  EXPECT_THAT(read_file(folder / "", "the kernel").error().sentence, HasSubstr("is a folder"));
  std::ofstream(folder / "big") << std::string(5000, 'x');
  EXPECT_THAT(read_file(folder / "big", "the key", 4096).error().sentence, HasSubstr("larger"));
  EXPECT_EQ(read_file(folder / "big", "the key", 5000)->size(), 5000u);
}

TEST(LogFile, AppendsAndReplacesAnOlderLog) {
  TemporaryFolder folder;
  std::ofstream(folder / "log") << std::string(1000, 'x');
  auto log = *LogFile::create(folder / "log");
  ASSERT_TRUE(log->write(as_bytes("abc")));
  ASSERT_TRUE(log->write(as_bytes("def")));
  ASSERT_TRUE(log->sync(world::ByteSink::Survives::kHost));
  EXPECT_EQ(as_text(*read_file(folder / "log", "the log")), "abcdef");
  EXPECT_EQ(log->bytes_written(), 6u);
}

TEST(LogFile, OneThatIsBeingWrittenIsLeftAlone) {
  TemporaryFolder folder;
  auto log = *LogFile::create(folder / "log");
  ASSERT_TRUE(log->write(as_bytes("abc")));
  EXPECT_THAT(LogFile::create(folder / "log").error().sentence, HasSubstr("another process"));
  EXPECT_EQ(as_text(*read_file(folder / "log", "the log")), "abc");
}

TEST(LogFile, AFullDiskIsOneSentenceAndNothingIsWrittenAfterIt) {
  auto log = LogFile::create("/dev/full");
  ASSERT_TRUE(log);
  const auto written = (*log)->write(as_bytes("abc"));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().sentence, HasSubstr("no space left"));
  EXPECT_THAT(written.error().sentence, HasSubstr("make room"));
  EXPECT_FALSE((*log)->write({}));
}

TEST(LogFile, AFileSizeLimitIsAnErrorAndNotADeath) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto fill = [] {
    TemporaryFolder folder;
    const rlimit limit{4096, 4096};
    auto log = *LogFile::create(folder / "log");
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto written = log->write(Bytes(8192));
    std::fprintf(stderr, "%s\n", written ? "" : written.error().sentence.c_str());
    std::_Exit(0);
  };
  EXPECT_EXIT(fill(), testing::ExitedWithCode(0), "make room");
}

}  // namespace
}  // namespace pollux::host
