#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "base/visit.h"

namespace pollux {
namespace {

TEST(Bytes, VarintsRoundTripAtEveryLength) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const u64 value : {u64{1} << bit, (u64{1} << bit) - 1, ~(u64{1} << bit)}) {
      ByteWriter out;
      out.put_varint(value);
      ByteReader in(out.bytes());
      EXPECT_EQ(in.get_varint(), value);
      EXPECT_TRUE(in.ok() && in.at_end());
    }
  }
}

TEST(Bytes, AVarintThatOverflowsOrEndsEarlyIsNotOk) {
  const Bytes eleven(11, std::byte{0xff});
  ByteReader overflow(eleven);
  overflow.get_varint();
  EXPECT_FALSE(overflow.ok());
  ByteReader cut(ByteSpan(eleven).first(3));
  cut.get_varint();
  EXPECT_FALSE(cut.ok());
}

TEST(Bytes, ReadingPastTheEndGivesZeroAndStaysNotOk) {
  const Bytes three(3, std::byte{1});
  ByteReader in(three);
  EXPECT_EQ(in.get<u32>(), 0u);
  EXPECT_EQ(in.get<u8>(), 0u);
  EXPECT_FALSE(in.ok());
}

struct Part {
  u32 number = 0;
  std::vector<u16> list;
  void visit(Visitor& v) {
    v.field("number", number);
    v.list("list", list);
  }
};

TEST(Visit, SaveAndRestoreGiveEqualDigests) {
  Part part{7, {1, 2, 3}};
  SaveVisitor save;
  save.component("part", part);
  const Bytes bytes = save.take();
  Part copy;
  LoadVisitor load(bytes);
  load.component("part", copy);
  EXPECT_TRUE(load.ok());
  DigestVisitor a, b;
  a.component("part", part);
  b.component("part", copy);
  EXPECT_EQ(a.digest(), b.digest());
  copy.list[1] = 9;
  DigestVisitor c;
  c.component("part", copy);
  EXPECT_NE(a.digest(), c.digest());
}

TEST(Visit, ListNamesFieldsByPath) {
  Part part{0x1234, {}};
  ListVisitor list;
  list.component("part", part);
  ASSERT_FALSE(list.lines().empty());
  EXPECT_EQ(list.lines()[0].first, "part.number");
  EXPECT_EQ(list.lines()[0].second, "0x00001234");
}

TEST(Random, EqualSeedsGiveEqualNumbers) {
  Random a(5), b(5), c(6);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const u64 x = a.next();
    EXPECT_EQ(x, b.next());
    differs |= x != c.next();
  }
  EXPECT_TRUE(differs);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(7), 7u);
}

}  // namespace
}  // namespace pollux
