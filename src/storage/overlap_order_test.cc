#include "storage/overlap_order.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace pollux::storage {
namespace {

using enum door::DiskOperation;

std::vector<u64> finish(OverlapOrder& order, u64 ticket) {
  std::vector<u64> start;
  order.finish(ticket, start);
  return start;
}

TEST(OverlapOrder, DistantRequestsStartAtOnce) {
  OverlapOrder order;
  EXPECT_TRUE(order.add(1, kWrite, 0, 512));
  EXPECT_TRUE(order.add(2, kWrite, 512, 512));
  EXPECT_TRUE(order.add(3, kRead, 1024, 512));
}

TEST(OverlapOrder, ReadsOfOneBlockDoNotWaitForEachOther) {
  OverlapOrder order;
  EXPECT_TRUE(order.add(1, kRead, 0, 512));
  EXPECT_TRUE(order.add(2, kRead, 0, 512));
}

TEST(OverlapOrder, AWriteWaitsForTheReadBeforeIt) {
  OverlapOrder order;
  EXPECT_TRUE(order.add(1, kRead, 0, 4096));
  EXPECT_FALSE(order.add(2, kWrite, 2048, 512));
  EXPECT_EQ(finish(order, 1), std::vector<u64>{2});
}

TEST(OverlapOrder, OverlappingWritesStartOneAfterTheOther) {
  OverlapOrder order;
  EXPECT_TRUE(order.add(1, kWrite, 0, 1024));
  EXPECT_FALSE(order.add(2, kDiscard, 512, 1024));
  EXPECT_FALSE(order.add(3, kWriteZeroes, 0, 4096));
  EXPECT_EQ(finish(order, 1), std::vector<u64>{2});
  EXPECT_EQ(finish(order, 2), std::vector<u64>{3});
  EXPECT_TRUE(finish(order, 3).empty());
  EXPECT_TRUE(order.empty());
}

TEST(OverlapOrder, AFlushWaitsForNothing) {
  OverlapOrder order;
  EXPECT_TRUE(order.add(1, kWrite, 0, 512));
  EXPECT_TRUE(order.add(2, kFlush, 0, 0));
}

TEST(OverlapOrder, UnderRandomRequestsNoTwoThatConflictAreEverInFlightTogether) {
  const u64 seed = 7;
  Random random(seed);
  OverlapOrder order;
  struct Seen {
    door::DiskOperation operation;
    u64 begin, end;
  };
  std::vector<Seen> all;
  std::set<u64> in_flight;
  std::size_t started = 0;
  const auto start = [&](u64 ticket) {
    const Seen& one = all[ticket];
    for (u64 other : in_flight) {
      const Seen& two = all[other];
      if (one.operation == kRead && two.operation == kRead) continue;
      ASSERT_FALSE(one.begin < two.end && two.begin < one.end) << "seed " << seed << ": " << ticket << ", " << other;
    }
    in_flight.insert(ticket);
    ++started;
  };
  for (int step = 0; step < 20000; ++step) {
    if (in_flight.size() < 40 && random.chance(0.55)) {
      const Seen seen{random.chance(0.5) ? kRead : kWrite, random.below(64), 0};
      all.push_back({seen.operation, seen.begin, seen.begin + 1 + random.below(8)});
      if (order.add(all.size() - 1, seen.operation, seen.begin, all.back().end - seen.begin)) start(all.size() - 1);
    } else if (!in_flight.empty()) {
      const u64 ticket = *std::next(in_flight.begin(), i64(random.below(in_flight.size())));
      in_flight.erase(ticket);
      for (u64 next : finish(order, ticket)) start(next);
    }
    if (HasFatalFailure()) return;
  }
  while (!in_flight.empty()) {
    const u64 ticket = *in_flight.begin();
    in_flight.erase(ticket);
    for (u64 next : finish(order, ticket)) start(next);
  }
  EXPECT_EQ(started, all.size());
  EXPECT_TRUE(order.empty());
}

}  // namespace
}  // namespace pollux::storage
