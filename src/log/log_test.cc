// LogWriter and LogReader are mirrors, and a reader gives everything up to the last good frame and says why not more.
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/random.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/statistics.h"

namespace pollux::log {
namespace {

using door::Position;

const LogHeader kHeader{"0.1.0", StartPoint::kPowerOn, Position(0), "", Bytes(100, std::byte{7})};

struct Written {
  Bytes bytes;
  std::vector<Entry> entries;
  std::vector<std::size_t> borders;  // sizes of the file after the header and after each frame
  std::vector<std::size_t> counts;   // entries up to there
};

Written some_log(int frames, bool closed = true) {
  Written log;
  LogWriter writer(kHeader);
  Position position;
  const auto add = [&](Body body) {
    log.entries.push_back({position, std::move(body)});
    writer.add(log.entries.back());
  };
  const auto border = [&] {
    writer.flush();
    const Bytes more = writer.take();
    log.bytes.insert(log.bytes.end(), more.begin(), more.end());
    log.borders.push_back(log.bytes.size());
    log.counts.push_back(log.entries.size());
  };
  border();
  for (int frame = 0; frame < frames; ++frame) {
    add(door::Input(door::PacketInput{0, Bytes(60 + std::size_t(frame))}));
    position += 1000;
    add(Mark{u64(frame)});
    if (closed && frame == frames - 1) add(End{99});
    border();
  }
  EXPECT_EQ(writer.bytes_made(), log.bytes.size());
  return log;
}

struct Read {
  std::vector<Entry> entries;
  LogReader reader;
};

Read read(ByteSpan bytes, std::size_t piece = 1000) {
  Read result;
  while (!bytes.empty()) {
    const std::size_t count = std::min(piece, bytes.size());
    result.reader.feed(bytes.first(count));
    bytes = bytes.subspan(count);
    while (auto entry = result.reader.next()) result.entries.push_back(std::move(*entry));
  }
  result.reader.finish();
  return result;
}

TEST(Log, WhatWasWrittenIsReadInPiecesOfAnySize) {
  const Written log = some_log(20);
  for (const std::size_t piece : {1u, 3u, 100u, 100000u}) {
    const Read back = read(log.bytes, piece);
    EXPECT_EQ(back.entries, log.entries);
    EXPECT_EQ(back.reader.state(), LogState::kEnded);
    EXPECT_EQ(back.reader.sentence(), "");
    ASSERT_TRUE(back.reader.header());
    EXPECT_EQ(*back.reader.header(), kHeader);
    EXPECT_EQ(back.reader.good_bytes(), log.bytes.size());
  }
}

TEST(Log, AFileCutAnywhereGivesEveryWholeFrame) {
  const Written log = some_log(5);
  for (std::size_t length = 0; length < log.bytes.size(); ++length) {
    const Read back = read(ByteSpan(log.bytes).first(length));
    std::size_t expected = 0;
    bool at_border = false;
    for (std::size_t i = 0; i < log.borders.size(); ++i)
      if (log.borders[i] <= length) {
        expected = log.counts[i];
        at_border = log.borders[i] == length;
      }
    ASSERT_EQ(back.entries.size(), expected) << length;
    const LogState state = length == 0 ? LogState::kForeign : at_border ? LogState::kNotClosed : LogState::kTruncated;
    ASSERT_EQ(back.reader.state(), state) << length;
    ASSERT_NE(back.reader.sentence(), "");
  }
}

TEST(Log, AFlippedBitAnywhereIsFoundAndTheFramesBeforeItAreGiven) {
  const Written log = some_log(4);
  for (std::size_t at = 0; at < log.bytes.size(); ++at) {
    Bytes bytes = log.bytes;
    bytes[at] ^= std::byte(1u << (at % 8));
    const Read back = read(bytes);
    std::size_t expected = 0;
    for (std::size_t i = 0; i < log.borders.size(); ++i)
      if (log.borders[i] <= at) expected = log.counts[i];
    ASSERT_EQ(back.entries.size(), expected) << at;
    const LogState state = back.reader.state();
    if (at < kMagic.size()) {
      ASSERT_EQ(state, LogState::kForeign);
    } else if (at >= log.borders[0]) {
      ASSERT_EQ(state, LogState::kDamaged) << at;
      ASSERT_NE(back.reader.sentence().find("at byte " + std::to_string(back.reader.good_bytes())), std::string::npos);
    } else {
      ASSERT_TRUE(state == LogState::kDamaged || state == LogState::kTruncated) << at;
    }
  }
}

TEST(Log, FramesThatChangedPlacesAreFound) {
  const Written log = some_log(4, false);
  const auto piece = [&](std::size_t i) {
    return Bytes(log.bytes.begin() + std::ptrdiff_t(log.borders[i]), log.bytes.begin() + std::ptrdiff_t(log.borders[i + 1]));
  };
  Bytes bytes(log.bytes.begin(), log.bytes.begin() + std::ptrdiff_t(log.borders[1]));
  for (const std::size_t frame : {2u, 1u, 3u}) {
    const Bytes more = piece(frame);
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  const Read back = read(bytes);
  EXPECT_EQ(back.entries.size(), log.counts[1]);
  EXPECT_EQ(back.reader.state(), LogState::kDamaged);
}

TEST(Log, AForeignFileIsRefused) {
  EXPECT_EQ(read(as_bytes("#!/bin/sh\necho hello")).reader.sentence(), "this file is not a Pollux log");
  EXPECT_EQ(read(Bytes(4096)).reader.state(), LogState::kForeign);
  EXPECT_EQ(read({}).reader.state(), LogState::kForeign);
}

TEST(Log, AnotherFormatVersionIsRefusedWithTheProgramToUse) {
  Written log = some_log(1);
  Bytes header(log.bytes.begin(), log.bytes.begin() + std::ptrdiff_t(log.borders[0]));
  header[8] = std::byte{2};
  const ByteSpan covered = ByteSpan(header).first(header.size() - kChecksumBytes);
  ByteWriter sum;
  sum.put<u64>(checksum(covered));
  std::ranges::copy(sum.bytes(), header.end() - kChecksumBytes);
  const Read back = read(header);
  EXPECT_EQ(back.reader.state(), LogState::kOtherVersion);
  EXPECT_EQ(back.reader.sentence(),
            "the log has format version 2, but this program reads version 1; use Pollux 0.1.0, which wrote it");
}

TEST(Log, BytesBehindTheEndAreNotPartOfTheLog) {
  Written log = some_log(2);
  log.bytes.resize(log.bytes.size() + 5);
  const Read back = read(log.bytes);
  EXPECT_EQ(back.entries, log.entries);
  EXPECT_EQ(back.reader.state(), LogState::kEnded);  // the log itself is whole; what follows is not its own
}

TEST(Log, RandomBytesBehindAGoodHeaderNeverGiveAnEntry) {
  const Written log = some_log(0, false);
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    Bytes bytes = log.bytes;
    for (u64 n = random.below(200); n > 0; --n) bytes.push_back(std::byte(random.next()));
    EXPECT_TRUE(read(bytes, 1 + random.below(50)).entries.empty());
  }
}

TEST(Statistics, CountsAndBytesAreByKind) {
  const Written log = some_log(3);
  Statistics statistics;
  LogReader reader;
  reader.feed(log.bytes);
  while (auto entry = reader.next()) statistics.add(*entry, reader.entry_bytes());
  EXPECT_EQ(statistics.by_kind().at(EntryKind::kPacket), (KindStatistics{3, 60 + 61 + 62 + 3 * 4}));
  EXPECT_EQ(statistics.by_kind().at(EntryKind::kMark).count, 3u);
  EXPECT_EQ(statistics.total().count, 7u);
  EXPECT_EQ(statistics.last_position(), Position(3000));
  EXPECT_NE(statistics.table().find("packet                      3            195\n"), std::string::npos)
      << statistics.table();
}

TEST(Statistics, EntropyIsNotShown) {
  const Entry entry{Position(1), door::Input(door::EntropyInput{Bytes(4, std::byte{0xab})})};
  EXPECT_EQ(describe(entry), "             1  entropy          4 bytes");
}

}  // namespace
}  // namespace pollux::log
