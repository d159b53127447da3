// A pair of real processes with real sockets, a real arbiter directory and the trivial machine: killed, stopped and
// resumed. What each process lets out and what its machine made is written to memory that the test shares with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <unordered_set>

#include "base/checksum.h"
#include "failover/driver/backup_session.h"
#include "failover/driver/driver_test_tools.h"
#include "failover/driver/primary_journal.h"
#include "machine/counter_machine.h"
#include "session/run_report.h"

namespace pollux::failover::driver {
namespace {

constexpr std::size_t kBlocks = 64;
constexpr std::size_t kMost = 200'000;

u64 now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return u64(now.tv_sec) * 1000 + u64(now.tv_nsec) / 1'000'000;
}

struct Seen {
  u64 print;
  u64 at_ms;
  bool disk_write;
};

// What the test sees of one process.
struct Side {
  std::atomic<u32> performed_count, made_count;
  std::atomic<bool> is_protected, live, ended, lost_arbitration;
  std::atomic<u64> live_at_ms, digest;
  std::atomic<int> reason;
  char error[512];
  Seen performed[kMost];
  u64 made[kMost];
};

struct Board {
  std::byte disk[kBlocks * 512];
  std::atomic<u16> port;
  Side side[2];
};

u64 print(const door::Output& output) {
  if (const auto* packet = std::get_if<door::PacketOutput>(&output)) return checksum(packet->frame, 1);
  if (const auto* console = std::get_if<door::ConsoleOutput>(&output)) return checksum(console->bytes, 2);
  if (const auto* disk = std::get_if<door::DiskOutput>(&output)) return checksum(disk->data, 3 + disk->request);
  return output.index();
}

// Notes every output the machine makes, before anybody decides about it.
class NotingMachine final : public machine::Machine {
 public:
  NotingMachine(std::unique_ptr<Machine> inner, Side& side) : inner_(std::move(inner)), side_(side) {}
  machine::RunStop run(door::Position until, EarlyStop early = {}) override { return inner_->run(until, early); }
  void deliver(machine::DeliverKey key, const door::Input& input) override { inner_->deliver(key, input); }
  std::vector<door::OutputAt> take_outputs() override {
    auto outputs = inner_->take_outputs();
    for (const door::OutputAt& output : outputs) side_.made[side_.made_count++ % kMost] = print(output.output);
    return outputs;
  }
  door::Position position() const override { return inner_->position(); }
  door::VirtualNs now() const override { return inner_->now(); }
  door::VirtualNs idle_until() const override { return inner_->idle_until(); }
  void skip_idle() override { inner_->skip_idle(); }
  u64 entropy_wanted() const override { return inner_->entropy_wanted(); }
  u64 digest() override { return inner_->digest(); }
  std::vector<std::pair<std::string, u64>> component_digests() override { return inner_->component_digests(); }
  void visit(Visitor& v) override { inner_->visit(v); }

 private:
  std::unique_ptr<Machine> inner_;
  Side& side_;
};

class NotingFactory final : public machine::MachineFactory {
 public:
  explicit NotingFactory(Side& side) : side_(side) {}
  Result<std::unique_ptr<machine::Machine>> make(ByteSpan configuration) override {
    auto made = machine::CounterMachineFactory().make(configuration);
    if (!made) return made;
    return std::make_unique<NotingMachine>(std::move(*made), side_);
  }

 private:
  Side& side_;
};

class PairTest : public testing::Test {
 protected:
  void SetUp() override {
    void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    board_ = new (memory) Board();
    security_.key = Bytes(32, std::byte{7});
    security_.shown = "the test's key";
  }
  void TearDown() override {
    for (const pid_t child : {primary_, backup_}) {
      if (child <= 0) continue;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    ::munmap(board_, sizeof(Board));
  }

  Side& a() { return board_->side[0]; }
  Side& b() { return board_->side[1]; }

  static void note(Side& side, const door::Output& output) {
    const auto* disk = std::get_if<door::DiskOutput>(&output);
    const bool write = disk && disk->operation == door::DiskOperation::kWrite;
    side.performed[side.performed_count++ % kMost] = {print(output), now_ms(), write};
  }
  static void end(Side& side, const session::RunReport& report, bool lost) {
    side.digest = report.digest;
    side.reason = int(report.reason);
    side.lost_arbitration = lost;
    std::snprintf(side.error, sizeof side.error, "%s", report.error.sentence.c_str());
    side.ended = true;
  }
  std::vector<DiskIdentity> disks() const { return {{sizeof(Board::disk), false, 42}}; }

  // Clients: a packet every few milliseconds to whichever side is live.
  static void feed(MemoryWorld& world, Side& side) {
    std::thread([&] {
      for (u8 number = 0;; ++number) {
        ::usleep(3000);
        if (side.live) world.arrive(door::PacketInput{0, Bytes(60, std::byte(number))});
      }
    }).detach();
  }

  void run_primary() {
    MemoryWorld world(board_->disk, [this](const door::Output& output) { note(a(), output); });
    PrimaryOptions options{.machine = "web", .host = "alpha", .version = "1", .security = security_,
                           .arbiter_dir = folder_.path(), .configuration = machine::encode(config_), .disks = disks()};
    options.backup = "127.0.0.1:" + std::to_string(board_->port);
    options.on_event = [this](const Event& event) { a().is_protected = event.kind == EventKind::kProtected; };
    auto journal = PrimaryJournal::create(options, world);
    session::RunReport report;
    bool lost = false;
    if (journal) {
      NotingMachine machine(std::make_unique<machine::CounterMachine>(config_), a());
      session::LiveSession session(machine, (*journal)->world(), **journal, (*journal)->tune({}));
      a().live = true;
      feed(world, a());
      if (auto on = session.power_on(); on) report = session.run();
      lost = (*journal)->lost_arbitration();
    } else {
      report.error = journal.error();
    }
    end(a(), report, lost);
  }

  void run_backup() {
    MemoryWorld world(board_->disk, [this](const door::Output& output) { note(b(), output); });
    NotingFactory factory(b());
    BackupOptions options{.host = "beta", .version = "1", .listen = "127.0.0.1:0", .security = security_,
                          .arbiter_dir = folder_.path(), .disks = disks(), .factory = &factory};
    options.cards = [](ByteSpan) -> Result<std::vector<MacAddress>> { return std::vector<MacAddress>{{2, 0, 0, 0, 0, 1}}; };
    options.take_over = [this]() -> Result<void> {
      b().live_at_ms = now_ms();
      b().live = true;
      return {};
    };
    auto session = BackupSession::create(options, world);
    if (!session) {
      std::snprintf(b().error, sizeof b().error, "%s", session.error().sentence.c_str());
      return;
    }
    board_->port = (*session)->port();
    feed(world, b());
    const session::RunReport report = (*session)->run();
    end(b(), report, (*session)->lost_arbitration());
  }

  template <class Run>
  pid_t process(Run run) {
    const pid_t child = ::fork();
    if (child == 0) {
      run();
      ::_exit(0);
    }
    return child;
  }

  template <class Condition>
  static bool await(Condition condition, u64 within_ms = 10'000) {
    for (const u64 deadline = now_ms() + within_ms; now_ms() < deadline; ::usleep(1000))
      if (condition()) return true;
    return condition();
  }

  void start() {
    backup_ = process([this] { run_backup(); });
    ASSERT_TRUE(await([this] { return board_->port != 0; }));
    primary_ = process([this] { run_primary(); });
    ASSERT_TRUE(await([this] { return a().performed_count > 100 || a().ended; })) << "the pair does not start";
    ASSERT_FALSE(a().ended) << a().error;
  }
  bool backup_lives() {
    const bool live = await([this] { return b().live || ::waitpid(backup_, nullptr, WNOHANG) != 0; });
    return live && b().live;
  }
  bool goes_on(Side& side) {
    const u32 before = side.performed_count;
    return await([&, before] { return side.performed_count > before + 50; });
  }
  // Everything that left A is an output of the machine that B runs.
  void expect_one_machine() {
    ::usleep(50'000);
    const std::unordered_set<u64> truth(b().made, b().made + std::min<u32>(b().made_count, kMost));
    u32 strange = 0;
    for (u32 i = 0; i < a().performed_count; ++i) strange += !truth.contains(a().performed[i].print);
    EXPECT_EQ(strange, 0u) << "of " << a().performed_count;
  }

  machine::CounterConfig config_{.max_idle_ns = 10'000'000};
  TemporaryFolder folder_;
  Security security_;
  Board* board_ = nullptr;
  pid_t primary_ = 0, backup_ = 0;
};

TEST_F(PairTest, TheBackupGoesOnWhenThePrimaryIsKilled) {
  start();
  ::usleep(300'000);
  ::kill(primary_, SIGKILL);
  const u64 killed_ms = now_ms();
  ASSERT_TRUE(backup_lives()) << b().error;
  RecordProperty("promotion_ms", int(b().live_at_ms - killed_ms));
  EXPECT_TRUE(goes_on(b()));
  expect_one_machine();
}

TEST_F(PairTest, AStoppedPrimaryThatComesBackHaltsAndTouchesNothing) {
  start();
  ::kill(primary_, SIGSTOP);
  // It may have been stopped while it wrote; then the backup rightly waits for it.
  const bool promoted = await([this] { return b().live.load(); }, 1500);
  ::kill(primary_, SIGCONT);
  ASSERT_TRUE(backup_lives()) << b().error;
  ASSERT_TRUE(await([this] { return a().ended.load(); }));
  EXPECT_TRUE(a().lost_arbitration) << a().error;
  EXPECT_TRUE(goes_on(b()));
  expect_one_machine();
  if (!promoted) GTEST_SKIP() << "stopped inside a write";
  for (u32 i = 0; i < a().performed_count; ++i) {
    const Seen& seen = a().performed[i];
    EXPECT_FALSE(seen.disk_write && seen.at_ms > b().live_at_ms) << "a write after the promotion";
  }
}

TEST_F(PairTest, ThePrimaryGoesOnWhenTheBackupIsKilled) {
  start();
  ::kill(backup_, SIGKILL);
  EXPECT_TRUE(await([this] { return !a().is_protected; }));
  EXPECT_TRUE(goes_on(a()));
  EXPECT_FALSE(a().ended) << a().error;
}

TEST_F(PairTest, AStoppedBackupThatComesBackHalts) {
  start();
  ::kill(backup_, SIGSTOP);
  EXPECT_TRUE(await([this] { return !a().is_protected; }));
  EXPECT_TRUE(goes_on(a()));
  ::kill(backup_, SIGCONT);
  ASSERT_TRUE(await([this] { return b().ended.load(); }));
  EXPECT_TRUE(b().lost_arbitration) << b().error;
  EXPECT_FALSE(b().live);
  EXPECT_FALSE(a().ended);
}

TEST_F(PairTest, AMachineThatSwitchesItselfOffEndsOnBothSidesAlike) {
  config_.power_off_at = 3'000'000;
  start();
  ASSERT_TRUE(await([this] { return a().ended && b().ended; }));
  EXPECT_EQ(session::StopReason(a().reason.load()), session::StopReason::kPowerOff) << a().error;
  EXPECT_EQ(session::StopReason(b().reason.load()), session::StopReason::kPowerOff) << b().error;
  EXPECT_EQ(a().digest, b().digest);
  EXPECT_FALSE(b().live);
}

TEST_F(PairTest, ASecondStartOfARunningMachineIsRefused) {
  start();
  ::kill(primary_, SIGKILL);
  ASSERT_TRUE(backup_lives());
  MemoryWorld world(board_->disk, [](const door::Output&) {});
  auto arbiter = FileArbiter::open(folder_.path(), "web");
  ASSERT_TRUE(arbiter);
  auto begun = (*arbiter)->begin("another");
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().sentence, testing::HasSubstr("runs already"));
}

// ---- refusals

struct Refusal {
  const char* name;
  void (*change)(PrimaryOptions&);
  const char* sentence;
};

class RefusalTest : public PairTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusalTest, IsOneSentenceAndTheBackupWaitsOn) {
  std::filesystem::create_directory(folder_ / "other");
  backup_ = process([this] { run_backup(); });
  ASSERT_TRUE(await([this] { return board_->port != 0; }));
  MemoryWorld world(board_->disk, [](const door::Output&) {});
  PrimaryOptions good{.machine = "web", .host = "alpha", .version = "1", .security = security_,
                      .arbiter_dir = folder_.path(), .configuration = machine::encode(config_), .disks = disks()};
  good.backup = "127.0.0.1:" + std::to_string(board_->port);
  PrimaryOptions bad = good;
  GetParam().change(bad);
  auto journal = PrimaryJournal::create(bad, world);
  ASSERT_FALSE(journal);
  EXPECT_THAT(journal.error().sentence, testing::HasSubstr(GetParam().sentence));
  auto second = PrimaryJournal::create(good, world);
  EXPECT_TRUE(second) << second.error().sentence;
}

INSTANTIATE_TEST_SUITE_P(
    Each, RefusalTest,
    testing::Values(Refusal{"Key", [](PrimaryOptions& o) { o.security.key[0] = std::byte{1}; }, "another cluster key"},
                    Refusal{"Version", [](PrimaryOptions& o) { o.version = "2"; }, "run the same version"},
                    Refusal{"DiskCount", [](PrimaryOptions& o) { o.disks.clear(); }, "name the same disks"},
                    Refusal{"Disk", [](PrimaryOptions& o) { o.disks[0].identity = 1; }, "another content"},
                    Refusal{"Machine", [](PrimaryOptions& o) { o.configuration = Bytes(3); }, "not the configuration"},
                    Refusal{"Arbiter", [](PrimaryOptions& o) { o.arbiter_dir = "/nonexistent"; }, "arbiter directory"},
                    Refusal{"OtherArbiter", [](PrimaryOptions& o) { o.arbiter_dir += "/other"; }, "the same directory"},
                    Refusal{"NoBackup", [](PrimaryOptions& o) { o.backup = "127.0.0.1:1"; }, "no backup answers"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace pollux::failover::driver
