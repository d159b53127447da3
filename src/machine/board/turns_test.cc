#include "machine/board/turns.h"

#include <gtest/gtest.h>

namespace pollux::machine::board {
namespace {

using door::Position;

constexpr u64 kQuantum = Turns::kQuantum;

u64 digest(Turns& turns) {
  DigestVisitor v;
  turns.visit(v);
  return v.digest();
}
bool all(u32) { return true; }

TEST(Turns, GoRoundInQuanta) {
  Turns turns(3);
  turns.choose(Position(0), all);
  EXPECT_EQ(turns.current(), 0u);
  EXPECT_EQ(turns.ends(), Position(kQuantum));
  turns.choose(Position(kQuantum - 1), all);
  EXPECT_EQ(turns.current(), 0u);
  for (const u32 next : {1u, 2u, 0u, 1u}) {
    const Position end = turns.ends();
    turns.choose(end, all);
    EXPECT_EQ(turns.current(), next);
    EXPECT_EQ(turns.ends(), end + kQuantum);
  }
}

TEST(Turns, PassOverThoseThatCannotRun) {
  Turns turns(4);
  turns.choose(Position(100), [](u32 n) { return n == 2; });
  EXPECT_EQ(turns.current(), 2u);
  EXPECT_EQ(turns.ends(), Position(100 + kQuantum)) << "a whole quantum from where it begins";
  turns.choose(Position(200), all);
  EXPECT_EQ(turns.current(), 2u) << "nobody is interrupted by one that wakes";
  turns.choose(turns.ends(), [](u32 n) { return n == 2; });
  EXPECT_EQ(turns.current(), 2u) << "and one alone goes on";
}

TEST(Turns, EndEarlyWhereTheyAreToldTo) {
  Turns turns(2);
  turns.end(Position(50));
  turns.choose(Position(49), all);
  EXPECT_EQ(turns.current(), 0u);
  turns.choose(Position(50), all);
  EXPECT_EQ(turns.current(), 1u);
  EXPECT_EQ(turns.ends(), Position(50 + kQuantum));
}

TEST(Turns, AreStateOfAMachineWithSeveralProcessorsOnly) {
  Turns one(1), two(2), later(2);
  EXPECT_EQ(one.ends(), door::kEndOfTime);
  EXPECT_EQ(digest(one), DigestVisitor().digest());
  later.choose(Position(kQuantum), all);
  EXPECT_NE(digest(two), digest(later));
  SaveVisitor save;
  later.visit(save);
  const Bytes bytes = save.take();
  LoadVisitor load(bytes);
  two.visit(load);
  EXPECT_EQ(two.current(), 1u);
  EXPECT_EQ(digest(two), digest(later));
}

}  // namespace
}  // namespace pollux::machine::board
