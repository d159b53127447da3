#include "failover/wire.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::failover {
namespace {

Bytes some_bytes(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = std::byte(i * 7);
  return bytes;
}

std::vector<Message> one_of_each() {
  return {
      Hello{.version = "1.2.3",
            .pair = "web",
            .name = "alpha",
            .generation = Generation(7),
            .timeout_ns = 300'000'000,
            .configuration = some_bytes(100),
            .disks = {{1 << 30, false, 42}, {512, true, ~u64{0}}}},
      Log{.first = 300,
          .sent_ns = 1234567,
          .released = door::Position(99),
          .entries = {{door::Position(100), door::Input{door::PacketInput{0, some_bytes(60)}}},
                      {door::Position(100), log::Reached{}},
                      {door::Position(5000), log::Mark{0xdeadbeef}},
                      {door::Position(5001), log::End{7}}}},
      KeepAlive{.sent_ns = 5, .released = door::Position(1)},
      Dropped{"too slow"},
      Welcome{"beta", 1 << 20},
      Refused{"other disks"},
      Ack{.received = 10, .consumed = 9, .consumed_bytes = 1000, .behind_ns = 8, .echo_ns = 9},
      Leaving{true, "differs"},
  };
}

Bytes encoded(const std::vector<Message>& messages) {
  ByteWriter out;
  for (const Message& message : messages) encode(message, out);
  return out.take();
}

TEST(Wire, EveryMessageComesBackAsItWas) {
  MessageReader reader;
  reader.feed(encoded(one_of_each()));
  for (const Message& message : one_of_each()) {
    auto read = reader.next();
    ASSERT_TRUE(read && *read) << name(message);
    EXPECT_EQ(**read, message) << name(message);
  }
  auto nothing = reader.next();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST(Wire, MessagesThatArriveByteByByteAreWholeInTheEnd) {
  MessageReader reader;
  std::vector<Message> read;
  for (const std::byte byte : encoded(one_of_each())) {
    reader.feed({&byte, 1});
    while (true) {
      auto message = reader.next();
      ASSERT_TRUE(message);
      if (!*message) break;
      read.push_back(std::move(**message));
    }
  }
  EXPECT_EQ(read, one_of_each());
}

TEST(Wire, AFrameLongerThanTheLimitIsRefusedBeforeItArrives) {
  ByteWriter out;
  out.put<u32>(kMaxFrameBytes + 1);
  MessageReader reader;
  reader.feed(out.bytes());
  EXPECT_FALSE(reader.next());
}

TEST(Wire, AnEmptyFrameIsRefused) {
  ByteWriter out;
  out.put<u32>(0);
  MessageReader reader;
  reader.feed(out.bytes());
  EXPECT_FALSE(reader.next());
}

TEST(Wire, DamagedBytesAreAnErrorOrAnotherMessageButNeverACrash) {
  Random random(1);
  const Bytes good = encoded(one_of_each());
  for (int i = 0; i < 20'000; ++i) {
    Bytes bad = good;
    for (u64 flips = 1 + random.below(4); flips > 0; --flips) bad[random.below(bad.size())] ^= std::byte(1 + random.below(255));
    MessageReader reader;
    reader.feed(bad);
    for (int messages = 0; messages < 20; ++messages) {
      auto message = reader.next();
      if (!message || !*message) break;
    }
  }
}

TEST(Wire, AHeartbeatComesBackAsItWasAndACutOneDoesNot) {
  const Heartbeat heartbeat{Generation(3), true, 17, 16};
  ByteWriter out;
  encode(heartbeat, out);
  EXPECT_EQ(decode_heartbeat(out.bytes()), heartbeat);
  EXPECT_FALSE(decode_heartbeat(ByteSpan(out.bytes()).first(out.size() - 1)));
  Bytes longer = out.bytes();
  longer.push_back({});
  EXPECT_FALSE(decode_heartbeat(longer));
}

}  // namespace
}  // namespace pollux::failover
