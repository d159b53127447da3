#include "failover/driver/file_arbiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>
#include <set>
#include <thread>

#include "failover/driver/driver_test_tools.h"
#include "failover/driver/file_fence.h"

namespace pollux::failover::driver {
namespace {

std::unique_ptr<FileArbiter> open(const TemporaryFolder& folder, const std::string& machine = "web") {
  auto arbiter = FileArbiter::open(folder.path(), machine);
  EXPECT_TRUE(arbiter) << arbiter.error().sentence;
  return std::move(*arbiter);
}

TEST(FileArbiter, OneOfManyWinsAndTheAnswerIsStable) {
  TemporaryFolder folder;
  for (u64 generation = 1; generation <= 20; ++generation) {
    std::vector<std::thread> threads;
    std::vector<ArbiterAnswer> answers(4);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      threads.emplace_back([&, i] { answers[i] = open(folder)->claim(Generation(generation), "claimant " + std::to_string(i)); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::ranges::count(answers, ArbiterAnswer::kWon), 1);
    EXPECT_EQ(std::ranges::count(answers, ArbiterAnswer::kLost), 3);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(open(folder)->claim(Generation(generation), "claimant " + std::to_string(i)), answers[i]);
    }
  }
}

TEST(FileArbiter, AGenerationBelowTheNewestIsNotToBeHad) {
  TemporaryFolder folder;
  EXPECT_EQ(open(folder)->claim(Generation(5), "a"), ArbiterAnswer::kWon);
  EXPECT_EQ(open(folder)->claim(Generation(4), "b"), ArbiterAnswer::kLost);
}

TEST(FileArbiter, TheWinnerIsWrittenForPeople) {
  TemporaryFolder folder;
  const std::string claimant = make_claimant();
  EXPECT_EQ(open(folder)->claim(Generation(1), claimant), ArbiterAnswer::kWon);
  std::ifstream file(folder / "web.generation.1");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, claimant);
  EXPECT_THAT(line, testing::HasSubstr("host "));
  EXPECT_EQ(open(folder)->winner(Generation(1)), claimant);
  // Nothing else is left behind.
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"web.generation.1"}));
}

TEST(FileArbiter, MachinesDoNotMeet) {
  TemporaryFolder folder;
  EXPECT_EQ(open(folder, "web")->claim(Generation(1), "a"), ArbiterAnswer::kWon);
  EXPECT_EQ(open(folder, "db")->claim(Generation(1), "b"), ArbiterAnswer::kWon);
  EXPECT_EQ(open(folder, "../db")->claim(Generation(1), "c"), ArbiterAnswer::kWon) << "and stay in their directory";
  EXPECT_TRUE(std::filesystem::exists(folder / ".._db.generation.1"));
}

TEST(FileArbiter, AMachineStartsOnceAtATime) {
  TemporaryFolder folder;
  auto first = open(folder);
  auto began = first->begin("first");
  ASSERT_TRUE(began) << began.error().sentence;
  EXPECT_EQ(*began, Generation(1));
  auto second = open(folder)->begin("second");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().sentence, testing::HasSubstr("runs already (first)"));
  auto backup = open(folder);
  EXPECT_TRUE(backup->join());
  first.reset();
  EXPECT_FALSE(open(folder)->begin("third")) << "its backup may be about to live";
  backup.reset();
  auto again = open(folder)->begin("fourth");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, Generation(2));
}

TEST(FileArbiter, AMissingDirectoryIsASentence) {
  auto arbiter = FileArbiter::open("/nonexistent/arbiter", "web");
  ASSERT_FALSE(arbiter);
  EXPECT_THAT(arbiter.error().sentence, testing::HasSubstr("arbiter directory /nonexistent/arbiter"));
}

TEST(FileArbiter, StorageThatWentAwayIsUnreachableAndNotLost) {
  TemporaryFolder folder;
  auto arbiter = open(folder);
  std::filesystem::remove_all(folder.path());
  EXPECT_EQ(arbiter->claim(Generation(1), "a"), ArbiterAnswer::kUnreachable);
}

std::unique_ptr<FileFence> fence(const TemporaryFolder& folder) { return std::move(*FileFence::open(*open(folder))); }

TEST(FileFence, AnOlderGenerationIsOutForEver) {
  TemporaryFolder folder;
  auto old_side = fence(folder), new_side = fence(folder);
  EXPECT_EQ(old_side->raise(Generation(1)), FenceAnswer::kMine);
  EXPECT_EQ(old_side->enter(Generation(1)), FenceAnswer::kMine);
  old_side->leave();
  EXPECT_EQ(new_side->raise(Generation(2)), FenceAnswer::kMine);
  EXPECT_EQ(old_side->enter(Generation(1)), FenceAnswer::kFenced);
  EXPECT_EQ(old_side->raise(Generation(1)), FenceAnswer::kFenced);
  EXPECT_EQ(new_side->enter(Generation(2)), FenceAnswer::kMine);
}

TEST(FileFence, NobodyRaisesItWhileSomebodyWrites) {
  TemporaryFolder folder;
  auto old_side = fence(folder), new_side = fence(folder);
  EXPECT_EQ(old_side->enter(Generation(1)), FenceAnswer::kMine);
  EXPECT_EQ(new_side->raise(Generation(2)), FenceAnswer::kUnreachable);
  old_side->leave();
  EXPECT_EQ(new_side->raise(Generation(2)), FenceAnswer::kMine);
}

TEST(FileFence, TheWriterItselfMayRaise) {
  TemporaryFolder folder;
  auto side = fence(folder), stranger = fence(folder);
  EXPECT_EQ(side->enter(Generation(1)), FenceAnswer::kMine);
  EXPECT_EQ(side->raise(Generation(2)), FenceAnswer::kMine);
  EXPECT_EQ(stranger->raise(Generation(3)), FenceAnswer::kUnreachable) << "it is still writing";
  side->leave();
  EXPECT_EQ(stranger->raise(Generation(3)), FenceAnswer::kMine);
}

TEST(FileFence, AProcessThatDiedWhileWritingHasLeft) {
  TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    auto inside = fence(folder);
    if (inside->enter(Generation(1)) != FenceAnswer::kMine) _exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(fence(folder)->raise(Generation(2)), FenceAnswer::kMine);
}

}  // namespace
}  // namespace pollux::failover::driver
