// Disks in real files: opening with every complaint, the claim, and the round trip through both engines.
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <thread>

#include "base/random.h"
#include "host/disk_file.h"
#include "host/host_test_tools.h"
#include "host/linux_world.h"

namespace pollux::host {
namespace {

using Access = DiskFile::Access;
using enum door::DiskOperation;
using door::DiskStatus;

std::string make_image(const TemporaryFolder& folder, const std::string& name, u64 bytes) {
  std::ofstream(folder / name).close();
  std::filesystem::resize_file(folder / name, bytes);
  return folder / name;
}

std::string complaint(const std::string& path, Access access = Access::kReadWrite) {
  const auto disk = DiskFile::open(path, access);
  return disk ? "" : disk.error().sentence;
}

TEST(DiskFile, AMissingImageIsRefusedWithItsPath) {
  TemporaryFolder folder;
  EXPECT_EQ(complaint(folder / "no.img"), "disk " + (folder / "no.img") + " does not exist: check the path");
}

TEST(DiskFile, AFolderAnEmptyFileAShortFileAndADeviceThatIsNoDiskAreRefused) {
  TemporaryFolder folder;
  EXPECT_THAT(complaint(folder / ""), testing::HasSubstr("is a folder"));
  EXPECT_THAT(complaint(make_image(folder, "empty", 0)), testing::HasSubstr("is empty"));
  EXPECT_THAT(complaint(make_image(folder, "short", 1000)), testing::HasSubstr("is short: 1000 bytes"));
  EXPECT_THAT(complaint("/dev/null"), testing::HasSubstr("neither a file nor a block device"));
}

// In a child that has given up root's rights, for root may write everything.
TEST(DiskFile, AReadOnlyFileIsRefusedWithoutRoAndOpensWithIt) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "r.img", 4096);
  chmod(path.c_str(), 0444);
  chmod((folder / "").c_str(), 0755);
  const pid_t child = fork();
  if (child == 0) {
    if (getuid() == 0 && setuid(65534) != 0) _exit(9);
    if (complaint(path).find("add ,ro") == std::string::npos) _exit(1);
    const auto disk = DiskFile::open(path, Access::kReadOnly);
    _exit(disk && (*disk)->read_only() && (*disk)->acquire(0) ? 0 : 2);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(DiskFile, OneMachineWritesAndASecondIsToldThatTheDiskIsInUse) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "d.img", 4096);
  auto first = *DiskFile::open(path, Access::kReadWrite);
  auto second = *DiskFile::open(path, Access::kReadWrite);
  auto reader = *DiskFile::open(path, Access::kReadOnly);
  ASSERT_TRUE(first->acquire(0));
  const auto refused = second->acquire(20);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().sentence, testing::HasSubstr("in use by another machine"));
  EXPECT_FALSE(reader->acquire(0));
  first->release();
  EXPECT_TRUE(second->acquire(0));
}

TEST(DiskFile, ADiskTakenOverIsWritableAndItsClaimFollowsWhenItIsFree) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "d.img", 4096);
  auto hung = *DiskFile::open(path, Access::kReadWrite);
  auto heir = *DiskFile::open(path, Access::kReadWrite);
  auto third = *DiskFile::open(path, Access::kReadWrite);
  ASSERT_TRUE(hung->acquire(0));
  heir->take_over();
  EXPECT_TRUE(heir->may_write());
  hung->release();
  EXPECT_TRUE(heir->may_write());
  EXPECT_FALSE(third->acquire(0));
}

// Dropping it takes seconds where much of it is new, and then all is read again.
TEST(DiskFile, WhatTheHostKeepsOfAFileThatNoOtherHostCanWriteStaysThere) {
  TemporaryFolder folder;
  constexpr u64 kBytes = 64 * 4096;
  const std::string path = make_image(folder, "d.img", kBytes);
  const int fd = ::open(path.c_str(), O_RDWR);
  struct statfs system {};
  ASSERT_EQ(::fstatfs(fd, &system), 0);
  if (system.f_type != EXT4_SUPER_MAGIC) GTEST_SKIP() << "this folder is in a file system of another kind";
  const std::string contents(kBytes, 'c');
  ASSERT_EQ(::pwrite(fd, contents.data(), kBytes, 0), ssize_t(kBytes));
  ASSERT_EQ(::fsync(fd), 0);
  const auto kept_pages = [&] {
    void* const mapped = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
    std::array<unsigned char, kBytes / 4096> kept{};
    EXPECT_EQ(::mincore(mapped, kBytes, kept.data()), 0);
    ::munmap(mapped, kBytes);
    return std::ranges::count_if(kept, [](unsigned char page) { return page & 1; });
  };
  ASSERT_EQ(kept_pages(), 64);
  auto disk = *DiskFile::open(path, Access::kReadWrite);
  ASSERT_TRUE(disk->acquire(0));
  disk->release();
  disk->take_over();
  EXPECT_EQ(kept_pages(), 64);
  ::close(fd);
}

TEST(DiskFile, ReadersShareADisk) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "d.img", 4096);
  auto first = *DiskFile::open(path, Access::kReadOnly);
  auto second = *DiskFile::open(path, Access::kReadOnly);
  EXPECT_TRUE(first->acquire(0));
  EXPECT_TRUE(second->acquire(0));
}

TEST(DiskFile, AKilledOwnersClaimEndsWithIt) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "d.img", 4096);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto disk = *DiskFile::open(path, Access::kReadWrite);
    const char yes = disk->acquire(0) ? 'y' : 'n';
    [[maybe_unused]] auto n = write(ready[1], &yes, 1);
    while (true) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  auto disk = *DiskFile::open(path, Access::kReadWrite);
  EXPECT_FALSE(disk->acquire(0));
  kill(child, SIGKILL);
  EXPECT_TRUE(disk->acquire(5000));  // before anybody has waited for the child
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST(DiskFile, TheIdentityIsOfTheDiskAndNotOfItsPathOrContents) {
  TemporaryFolder folder;
  const std::string path = make_image(folder, "a.img", 1 << 20);
  std::filesystem::create_hard_link(path, folder / "b.img");
  auto a = *DiskFile::open(path, Access::kReadWrite);
  auto b = *DiskFile::open(folder / "b.img", Access::kReadOnly);
  auto larger = *DiskFile::open(make_image(folder, "c.img", 2 << 20), Access::kReadOnly);
  const u64 before = a->identity();
  EXPECT_EQ(before, b->identity());
  EXPECT_NE(before, larger->identity());
  ASSERT_EQ(pwrite(a->fd(), "data", 4, 8192), 4);
  EXPECT_EQ(before, a->identity());
  ASSERT_EQ(pwrite(a->fd(), "uuid", 4, 1130), 4);
  EXPECT_NE(before, b->identity());
}

class DiskRequests : public testing::TestWithParam<EngineChoice> {
 protected:
  void open(u64 bytes, WritePolicy policy = WritePolicy::kWriteBack, Access access = Access::kReadWrite) {
    path_ = make_image(folder_, "disk.img", bytes);
    disk_ = *DiskFile::open(path_, access);
    auto world = LinuxWorld::create({.console = "none",
                                     .disks = {disk_},
                                     .nics = {},
                                     .write_policy = policy,
                                     .engine = GetParam(),
                                     .stop_signals = false,
                                     .operator_line = [this](const std::string& line) { said_ = line; }});
    ASSERT_TRUE(world) << world.error().sentence;
    world_ = std::move(*world);
    arrivals_.emplace(*world_);
  }
  door::DiskCompletionInput ask(door::DiskOperation operation, u64 offset, u64 length, Bytes data = {}) {
    const u64 request = next_++;
    world_->perform(door::DiskOutput{0, request, operation, offset, length, std::move(data)});
    return arrivals_->await<door::DiskCompletionInput>([&](const auto& done) { return done.request == request; });
  }
  u64 counter(const std::string& name) {
    for (const auto& [key, value] : world_->counters()) {
      if (key == name) return value;
    }
    return ~u64{0};
  }

  TemporaryFolder folder_;
  std::string path_;
  std::shared_ptr<DiskFile> disk_;
  std::unique_ptr<LinuxWorld> world_;
  std::optional<Arrivals> arrivals_;
  std::string said_;
  u64 next_ = 1;
};

Bytes pattern(u64 seed, std::size_t size) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = std::byte(random.next());
  return bytes;
}

TEST_P(DiskRequests, WhatWasWrittenIsReadBack) {
  open(1 << 20);
  const Bytes data = pattern(1, 65536);
  EXPECT_EQ(ask(kWrite, 4096, data.size(), data).status, DiskStatus::kOk);
  EXPECT_EQ(ask(kFlush, 0, 0).status, DiskStatus::kOk);
  const auto read = ask(kRead, 4096, data.size());
  EXPECT_EQ(read.status, DiskStatus::kOk);
  EXPECT_EQ(read.data, data);
  EXPECT_EQ(counter("disk.bytes_written"), data.size());
  EXPECT_EQ(counter("disk.flushes"), 1u);
}

TEST_P(DiskRequests, WithWriteThroughTheSameHolds) {
  open(1 << 20, WritePolicy::kWriteThrough);
  const Bytes data = pattern(2, 8192);
  EXPECT_EQ(ask(kWrite, 0, data.size(), data).status, DiskStatus::kOk);
  EXPECT_EQ(ask(kWriteZeroes, 0, 4096).status, DiskStatus::kOk);
  const auto read = ask(kRead, 0, 8192);
  EXPECT_EQ(Bytes(read.data.begin(), read.data.begin() + 4096), Bytes(4096));
  EXPECT_EQ(Bytes(read.data.begin() + 4096, read.data.end()), Bytes(data.begin() + 4096, data.end()));
}

TEST_P(DiskRequests, ZeroesAndDiscardsReadAsZeroesOrAreNotSupported) {
  open(1 << 20);
  ask(kWrite, 0, 16384, pattern(3, 16384));
  EXPECT_EQ(ask(kWriteZeroes, 512, 1024).status, DiskStatus::kOk);
  EXPECT_EQ(ask(kRead, 512, 1024).data, Bytes(1024));
  const DiskStatus discarded = ask(kDiscard, 4096, 4096).status;
  EXPECT_TRUE(discarded == DiskStatus::kUnsupported || ask(kRead, 4096, 4096).data == Bytes(4096));
  EXPECT_EQ(std::filesystem::file_size(path_), 1u << 20);
}

TEST_P(DiskRequests, ARequestBeyondTheEndIsAnErrorAndNothingElse) {
  open(8192);
  EXPECT_EQ(ask(kRead, 8192, 512).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kWrite, 7680, 1024, Bytes(1024)).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kRead, ~u64{511}, 1024).status, DiskStatus::kIoError);
  EXPECT_EQ(std::filesystem::file_size(path_), 8192u);
}

TEST_P(DiskRequests, AWriteToAReadOnlyDiskIsAnError) {
  open(8192, WritePolicy::kWriteBack, Access::kReadOnly);
  EXPECT_EQ(ask(kWrite, 0, 512, Bytes(512)).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kRead, 0, 512).status, DiskStatus::kOk);
}

TEST_P(DiskRequests, AFenceRefusesEveryFurtherChange) {
  open(8192);
  EXPECT_EQ(ask(kWrite, 0, 512, pattern(4, 512)).status, DiskStatus::kOk);
  disk_->set_fence([] { return false; });
  EXPECT_EQ(ask(kWrite, 0, 512, Bytes(512)).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kWriteZeroes, 0, 512).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kDiscard, 0, 512).status, DiskStatus::kIoError);
  EXPECT_EQ(ask(kRead, 0, 512).data, pattern(4, 512));
  EXPECT_EQ(counter("disk.refused"), 3u);
}

TEST_P(DiskRequests, AFileThatWasCutIsAnErrorThatTheOperatorHears) {
  open(1 << 20);
  std::filesystem::resize_file(path_, 4096);
  EXPECT_EQ(ask(kRead, 8192, 512).status, DiskStatus::kIoError);
  EXPECT_THAT(said_, testing::HasSubstr("cannot be read"));
}

TEST_P(DiskRequests, OverlappingWritesInFlightEndInTheGuestsOrder) {
  open(1 << 20);
  for (int round = 0; round < 50; ++round) {
    constexpr int kWrites = 40;
    for (int i = 0; i < kWrites; ++i) {
      world_->perform(door::DiskOutput{0, next_++, kWrite, 0, 32768, Bytes(32768, std::byte(i))});
    }
    EXPECT_EQ(ask(kRead, 0, 32768).data, Bytes(32768, std::byte(kWrites - 1)));
  }
}

TEST_P(DiskRequests, EveryRequestOfManyIsAnsweredExactlyOnce) {
  open(4 << 20);
  constexpr u64 kRequests = 5000;
  Random random(5);
  for (u64 i = 0; i < kRequests; ++i) {
    const u64 offset = random.below(1024) * 4096;
    if (random.chance(0.5)) {
      world_->perform(door::DiskOutput{0, i, kWrite, offset, 4096, Bytes(4096, std::byte(i))});
    } else {
      world_->perform(door::DiskOutput{0, i, kRead, offset, 4096, {}});
    }
  }
  std::vector<int> answered(kRequests);
  const u64 deadline = monotonic_ns() + kPatienceNs;
  u64 count = 0;
  while (count < kRequests && monotonic_ns() < deadline) {
    std::vector<door::Input> arrived;
    world_->wait(deadline, arrived);
    for (const door::Input& input : arrived) {
      ++answered.at(std::get<door::DiskCompletionInput>(input).request);
      ++count;
    }
  }
  EXPECT_EQ(answered, std::vector<int>(kRequests, 1));
}

TEST_P(DiskRequests, AWorldThatEndsWaitsForWhatIsInFlight) {
  open(64 << 20);
  for (u64 i = 0; i < 64; ++i) {
    world_->perform(door::DiskOutput{0, i, kWrite, i << 20, 1 << 20, Bytes(1 << 20, std::byte{0x5a})});
  }
  world_.reset();
  std::byte last{};
  ASSERT_EQ(pread(disk_->fd(), &last, 1, (64 << 20) - 1), 1);
  EXPECT_EQ(last, std::byte{0x5a});
}

TEST_P(DiskRequests, RequestsOutliveTheThreadThatMadeThem) {
  open(16 << 20);
  std::thread([this] {
    for (u64 i = 0; i < 16; ++i) {
      world_->perform(door::DiskOutput{0, 100 + i, kWrite, i << 20, 1 << 20, Bytes(1 << 20, std::byte{1})});
    }
  }).join();
  for (u64 i = 0; i < 16; ++i) {
    EXPECT_EQ(arrivals_->await<door::DiskCompletionInput>().status, DiskStatus::kOk);
  }
}

// The limit stands for a full disk: a sparse image's write beyond it fails with EFBIG, as on a full disk with ENOSPC.
// In a child of a fresh program image, because the limit is the whole process's and threads do not survive a fork.
TEST_P(DiskRequests, AFullDiskIsNoSpaceAndTheOperatorHears) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto fill = [this] {
    open(1 << 20);
    const rlimit limit{65536, 65536};
    setrlimit(RLIMIT_FSIZE, &limit);
    const bool fits = ask(kWrite, 0, 4096, Bytes(4096)).status == DiskStatus::kOk;
    const bool full = ask(kWrite, 131072, 4096, Bytes(4096)).status == DiskStatus::kNoSpace;
    std::fprintf(stderr, "%s\n", said_.c_str());
    std::_Exit(fits && full ? 0 : 1);
  };
  EXPECT_EXIT(fill(), testing::ExitedWithCode(0), "make room where the disk is kept");
}

INSTANTIATE_TEST_SUITE_P(Engines, DiskRequests, testing::Values(EngineChoice::kBest, EngineChoice::kThreads),
                         [](const auto& test) { return test.param == EngineChoice::kBest ? "Best" : "Threads"; });

}  // namespace
}  // namespace pollux::host
