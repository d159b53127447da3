#include "log/codec.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace pollux::log {
namespace {

using door::Position;

Bytes some_bytes(Random& random, u64 most) {
  Bytes bytes(random.below(most + 1));
  for (auto& byte : bytes) byte = std::byte(random.next());
  return bytes;
}

u64 some_number(Random& random) { return random.next() >> random.below(64); }

Body some_body(Random& random) {
  switch (random.below(13)) {
    case 0: return door::ClockInput{door::VirtualNs(some_number(random)), some_number(random) | 1};
    case 1: return door::PacketInput{u32(some_number(random)), some_bytes(random, 1514)};
    case 2:
      return door::DiskCompletionInput{u32(random.below(4)), some_number(random), door::DiskStatus(random.below(4)),
                                       some_bytes(random, 4096)};
    case 3: return door::ConsoleInput{some_bytes(random, 9)};
    case 4: return door::EntropyInput{some_bytes(random, 256)};
    case 5: return door::WallClockInput{some_number(random)};
    case 6: return door::LinkInput{u32(random.below(3)), random.chance(0.5)};
    case 7: return door::PowerButtonInput{};
    case 8: return door::DeviceInput{door::DeviceChange(random.below(3)), u32(random.below(9)), some_number(random)};
    case 9: return door::StopInput{};
    case 10: return Mark{random.next(), std::vector<u16>(random.below(30), u16(random.next()))};
    case 11: return Reached{};
    default: return End{random.next()};
  }
}

TEST(Codec, EveryEntryComesBackAsItWas) {
  Random random(1);
  std::vector<Entry> entries;
  Position position;
  for (int i = 0; i < 5000; ++i) {
    position += random.chance(0.3) ? 0 : random.next() >> (20 + random.below(40));
    entries.push_back({position, some_body(random)});
  }
  const Bytes bytes = encode_entries(entries);
  const auto back = decode_entries(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, entries);
}

TEST(Codec, AnInputHasTheNameThatTheDoorGivesIt) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const Body body = some_body(random);
    if (const auto* input = std::get_if<door::Input>(&body)) {
      EXPECT_STREQ(name(body), door::name(*input));
    }
  }
}

TEST(Codec, TheLargestPositionIsEncoded) {
  const std::vector<Entry> entries{{Position(0), Reached{}}, {Position(~u64{0}), Reached{}}};
  EXPECT_EQ(decode_entries(encode_entries(entries)), entries);
}

TEST(Codec, ACutRunIsRefusedUnlessTheCutIsBetweenEntries) {
  const std::vector<Entry> entries{{Position(5), door::PacketInput{1, Bytes(3)}}, {Position(9), Mark{7}}};
  const Bytes bytes = encode_entries(entries);
  int accepted = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto back = decode_entries(ByteSpan(bytes).first(length));
    if (back) {
      ++accepted;
      EXPECT_LT(back->size(), 2u);
    }
  }
  EXPECT_EQ(accepted, 2);  // nothing but the position, and the first entry alone
}

TEST(Codec, AnUnknownKindOrValueIsRefused) {
  const auto refused = [](std::initializer_list<int> list) {
    Bytes bytes;
    for (const int value : list) bytes.push_back(std::byte(value));
    return !decode_entries(bytes);
  };
  EXPECT_TRUE(refused({0, 0, 0}));                    // kind zero
  EXPECT_TRUE(refused({0, 11, 0}));                   // no such input
  EXPECT_TRUE(refused({0, 67, 0}));                   // no such kind
  EXPECT_TRUE(refused({0, 1, 0, 9, 0}));              // a clock that stands still
  EXPECT_TRUE(refused({0, 3, 0, 0, 0, 4, 0}));        // disk status 4
  EXPECT_TRUE(refused({0, 7, 0, 0, 2}));              // link 2
  EXPECT_TRUE(refused({0, 9, 0, 3, 0, 0}));           // device change 3
  EXPECT_TRUE(refused({0, 4, 0, 0xff, 0xff, 0x7f}));  // a length past the end
  EXPECT_TRUE(refused({1, 65, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}));  // past the last position
}

TEST(Codec, BytesAreThoseOfTheDocument) {
  const Entry entry{Position(300), door::ClockInput{door::VirtualNs(1000), 16}};
  const Bytes bytes = encode_entries({&entry, 1});
  const u8 expected[] = {0xac, 0x02, 0x01, 0x00, 0xe8, 0x07, 0x10};
  EXPECT_EQ(as_text(bytes), std::string_view(reinterpret_cast<const char*>(expected), sizeof expected));
}

}  // namespace
}  // namespace pollux::log
