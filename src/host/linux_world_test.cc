// The world as a session uses it, with real sockets, terminals and signals.
#include "host/linux_world.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <thread>

#include "host/host_test_tools.h"
#include "host/unix_socket.h"

namespace pollux::host {
namespace {

using testing::HasSubstr;

// What the operator was told, from any thread.
struct Said {
  std::mutex mutex;
  std::vector<std::string> lines;
  std::function<void(const std::string&)> sink() {
    return [this](const std::string& line) {
      std::lock_guard lock(mutex);
      lines.push_back(line);
    };
  }
};

LinuxWorldOptions quiet_options() {
  LinuxWorldOptions options;
  options.console = "none";
  options.stop_signals = false;
  return options;
}

std::unique_ptr<LinuxWorld> make(LinuxWorldOptions options) {
  auto world = LinuxWorld::create(std::move(options));
  EXPECT_TRUE(world) << world.error().sentence;
  return world ? std::move(*world) : nullptr;
}

std::string read_until(int fd, const std::string& end) {
  std::string text;
  while (text.find(end) == std::string::npos) {
    pollfd wait{fd, POLLIN, 0};
    char buffer[512];
    if (::poll(&wait, 1, 10'000) != 1) break;
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, std::size_t(got));
  }
  return text;
}

TEST(LinuxWorld, AWaitWhoseDeadlineHasPassedReturnsAtOnceAndCostsNoSystemCall) {
  const auto world = make(quiet_options());
  std::vector<door::Input> arrived;
  constexpr int kWaits = 1'000'000;
  const u64 begin = monotonic_ns();
  for (int i = 0; i < kWaits; ++i) world->wait(0, arrived);
  EXPECT_LT((monotonic_ns() - begin) / kWaits, 150u);  // a system call costs more than that here
  world->wait(monotonic_ns(), arrived);
  EXPECT_TRUE(arrived.empty());
}

TEST(LinuxWorld, AWaitEndsAtItsDeadline) {
  const auto world = make(quiet_options());
  std::vector<door::Input> arrived;
  std::vector<u64> late;
  for (int i = 0; i < 50; ++i) {
    const u64 deadline = world->now_ns() + 1'000'000;
    world->wait(deadline, arrived);
    ASSERT_GE(world->now_ns(), deadline);
    late.push_back(world->now_ns() - deadline);
  }
  std::ranges::sort(late);
  RecordProperty("median_late_ns", int(late[25]));
  EXPECT_LT(late[25], 5'000'000u);
}

TEST(LinuxWorld, NotifyEndsAWaitAlsoWhenItCameFirst) {
  const auto world = make(quiet_options());
  std::vector<door::Input> arrived;
  world->notify();
  world->wait(~u64{0}, arrived);
  std::thread other([&] { world->notify(); });
  world->wait(~u64{0}, arrived);
  other.join();
  EXPECT_TRUE(arrived.empty());
}

TEST(LinuxWorld, RandomBytesAreNotTheSameTwice) {
  const auto world = make(quiet_options());
  Bytes one(4096), two(4096);
  world->fill_random(one);
  world->fill_random(two);
  EXPECT_NE(one, two);
  EXPECT_NE(Bytes(one.end() - 64, one.end()), Bytes(64));
}

TEST(LinuxWorld, TheDateIsTheHosts) {
  const auto world = make(quiet_options());
  EXPECT_NEAR(double(world->unix_ns()) / 1e9, double(::time(nullptr)), 2.0);
}

LinuxWorldOptions with_switch(const std::string& path, Said& said) {
  LinuxWorldOptions options = quiet_options();
  options.nics = {{NicOptions::Kind::kSwitch, path}};
  options.operator_line = said.sink();
  return options;
}

Fd accept_one(const UnixListener& listener) {
  pollfd wait{listener.fd(), POLLIN, 0};
  ::poll(&wait, 1, 10'000);
  return listener.accept();
}

Bytes receive_one(const Fd& fd) {
  pollfd wait{fd.get(), POLLIN, 0};
  if (::poll(&wait, 1, 10'000) != 1) return {};
  Bytes bytes(2048);
  bytes.resize(std::size_t(std::max<ssize_t>(0, ::recv(fd.get(), bytes.data(), bytes.size(), 0))));
  return bytes;
}

TEST(LinuxWorld, WithoutASwitchItSaysHowToStartOne) {
  TemporaryFolder folder;
  LinuxWorldOptions options = quiet_options();
  options.nics = {{NicOptions::Kind::kSwitch, folder / "switch"}};
  const auto world = LinuxWorld::create(std::move(options));
  ASSERT_FALSE(world);
  EXPECT_THAT(world.error().sentence, HasSubstr("pollux switch " + (folder / "switch")));
}

TEST(LinuxWorld, PacketsGoBothWaysThroughASwitch) {
  TemporaryFolder folder;
  Said said;
  const auto listener = *UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch");
  const auto world = make(with_switch(folder / "switch", said));
  Arrivals arrivals(*world);
  const Fd port = accept_one(listener);
  const Bytes frame(60, std::byte{7});
  world->perform(door::PacketOutput{0, frame});
  EXPECT_EQ(receive_one(port), frame);
  ASSERT_EQ(::send(port.get(), frame.data(), frame.size(), 0), 60);
  EXPECT_EQ(arrivals.await<door::PacketInput>(), (door::PacketInput{0, frame}));
}

TEST(LinuxWorld, WhenTheSwitchGoesTheLinkGoesDownAndComesBackWithIt) {
  TemporaryFolder folder;
  Said said;
  std::optional<UnixListener> listener(*UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch"));
  const auto world = make(with_switch(folder / "switch", said));
  Arrivals arrivals(*world);
  Fd port = accept_one(*listener);
  listener.reset();
  port.reset();
  EXPECT_FALSE(arrivals.await<door::LinkInput>().up);
  world->perform(door::PacketOutput{0, Bytes(60)});  // into the void
  listener.emplace(*UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch"));
  EXPECT_TRUE(arrivals.await<door::LinkInput>().up);
  port = accept_one(*listener);
  world->perform(door::PacketOutput{0, Bytes(61)});
  EXPECT_EQ(receive_one(port).size(), 61u);
  std::lock_guard lock(said.mutex);
  EXPECT_THAT(said.lines, testing::Contains(HasSubstr("went away")));
}

TEST(LinuxWorld, ASwitchThatDoesNotReadCostsPacketsAndNotTime) {
  TemporaryFolder folder;
  Said said;
  const auto listener = *UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch");
  const auto world = make(with_switch(folder / "switch", said));
  const Fd port = accept_one(listener);
  for (int i = 0; i < 10'000; ++i) world->perform(door::PacketOutput{0, Bytes(1500)});
  const auto counters = world->counters();
  const auto dropped = std::ranges::find(counters, "net.0.dropped", &std::pair<std::string, u64>::first);
  EXPECT_GT(dropped->second, 5000u);
}

TEST(LinuxWorld, AFloodOfPacketsIsBoundedAndCounted) {
  InputQueue queue;
  for (std::size_t i = 0; i < InputQueue::kMaxPackets + 10; ++i) queue.push(door::PacketInput{0, Bytes(60)});
  EXPECT_TRUE(queue.push(door::StopInput{}));
  EXPECT_EQ(queue.packets_dropped(), 10u);
  std::vector<door::Input> arrived;
  queue.wait(0, arrived);
  EXPECT_EQ(arrived.size(), InputQueue::kMaxPackets + 1);
}

TEST(LinuxWorld, WhatArrivesIsAnnouncedUntilItIsTaken) {
  InputQueue queue;
  std::vector<door::Input> arrived;
  EXPECT_FALSE(*queue.arrival());
  queue.push(door::PacketInput{0, Bytes(60)});
  EXPECT_TRUE(*queue.arrival());
  queue.wait(0, arrived);
  EXPECT_FALSE(*queue.arrival());
  EXPECT_EQ(queue.packet_waits().count(), 1u);
  queue.notify();
  EXPECT_TRUE(*queue.arrival());
}

TEST(LinuxWorld, AQuietWorldClaimsNothingAndHearsNothingUntilItGoesLive) {
  TemporaryFolder folder;
  Said said;
  std::ofstream(folder / "disk") << std::string(4096, 'x');
  auto owner = *DiskFile::open(folder / "disk", DiskFile::Access::kReadWrite);
  ASSERT_TRUE(owner->acquire(0));
  const auto listener = *UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch");
  LinuxWorldOptions options = with_switch(folder / "switch", said);
  options.disks = {*DiskFile::open(folder / "disk", DiskFile::Access::kReadWrite)};
  options.start = Start::kQuiet;
  const auto world = make(std::move(options));
  Arrivals arrivals(*world);
  const Fd port = accept_one(listener);
  ASSERT_EQ(::send(port.get(), "before it lives", 15, 0), 15);
  EXPECT_THAT(world->go_live(0).error().sentence, HasSubstr("in use"));
  // The packet has been refused when its socket is empty and the counter has moved.
  const auto received = [&] {
    const auto counters = world->counters();
    return std::ranges::find(counters, "net.0.received", &std::pair<std::string, u64>::first)->second;
  };
  while (received() == 0) std::this_thread::yield();
  owner->release();
  ASSERT_TRUE(world->go_live(1000));
  EXPECT_TRUE(arrivals.await<door::LinkInput>().up);
  ASSERT_EQ(::send(port.get(), "now that it does", 16, 0), 16);
  EXPECT_EQ(as_text(arrivals.await<door::PacketInput>().frame), "now that it does");
  world->perform(door::DiskOutput{0, 1, door::DiskOperation::kWrite, 0, 512, Bytes(512)});
  EXPECT_EQ(arrivals.await<door::DiskCompletionInput>().status, door::DiskStatus::kOk);
}

TEST(LinuxWorld, TheConsoleSocketKeepsItsOutputForTheNextClientAndServesOneAtATime) {
  TemporaryFolder folder;
  LinuxWorldOptions options = quiet_options();
  options.console = "unix:" + (folder / "console");
  const auto world = make(std::move(options));
  Arrivals arrivals(*world);
  world->perform(door::ConsoleOutput{Bytes(as_bytes("login: ").begin(), as_bytes("login: ").end())});
  {
    const Fd client = connect_unix(folder / "console", SOCK_STREAM);
    EXPECT_EQ(read_until(client.get(), "login: "), "login: ");
    ASSERT_EQ(::send(client.get(), "root\r", 5, 0), 5);
    EXPECT_EQ(as_text(arrivals.await<door::ConsoleInput>().bytes), "root\r");
    const Fd second = connect_unix(folder / "console", SOCK_STREAM);
    EXPECT_THAT(read_until(second.get(), "\n"), HasSubstr("another client has this console"));
  }
  // The first client's place is free as soon as the world has seen it go; until then a newcomer is turned away.
  std::string text;
  while (text.find("login") == std::string::npos) {
    const Fd again = connect_unix(folder / "console", SOCK_STREAM);
    text = read_until(again.get(), " ");
  }
  EXPECT_THAT(text, HasSubstr("login: "));
}

TEST(LinuxWorld, AnUnknownConsoleIsRefused) {
  LinuxWorldOptions options = quiet_options();
  options.console = "tcp:1234";
  EXPECT_THAT(LinuxWorld::create(std::move(options)).error().sentence, HasSubstr("unix:PATH"));
}

TEST(LinuxWorld, EachStopSignalArrivesAsAStopAndAPowerSignalAsTheButton) {
  LinuxWorldOptions options = quiet_options();
  options.stop_signals = true;
  const auto world = make(std::move(options));
  Arrivals arrivals(*world);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) {
    ::kill(::getpid(), number);
    arrivals.await<door::StopInput>();
  }
  ::kill(::getpid(), SIGPWR);
  arrivals.await<door::PowerButtonInput>();
}

// A program on a terminal of its own: reads what it prints, types, and looks at the terminal's settings.
class OnATerminal {
 public:
  explicit OnATerminal(const std::function<void()>& program) : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ::grantpt(master_.get());
    ::unlockpt(master_.get());
    slave_ = Fd(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ::tcgetattr(slave_.get(), &before_);
    child_ = ::fork();
    if (child_ != 0) return;
    ::setsid();
    for (int fd : {0, 1, 2}) ::dup2(slave_.get(), fd);
    program();
    ::_exit(0);
  }
  ~OnATerminal() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  std::string read_until(const std::string& end) const { return host::read_until(master_.get(), end); }
  void type(std::string_view keys) const { ASSERT_EQ(::write(master_.get(), keys.data(), keys.size()), ssize_t(keys.size())); }
  int end() {
    int status = -1;
    ::waitpid(child_, &status, 0);
    return status;
  }
  void signal(int number) const { ::kill(child_, number); }
  bool raw() const { return !(settings().c_lflag & ICANON); }
  bool as_before() const { return settings().c_lflag == before_.c_lflag && settings().c_iflag == before_.c_iflag; }

 private:
  termios settings() const {
    termios now{};
    ::tcgetattr(slave_.get(), &now);
    return now;
  }
  Fd master_, slave_;
  termios before_{};
  pid_t child_ = -1;
};

void echo_until_stopped() {
  LinuxWorldOptions options;
  auto world = *LinuxWorld::create(std::move(options));
  const auto print = [&](std::string_view text) {
    world->perform(door::ConsoleOutput{Bytes(as_bytes(text).begin(), as_bytes(text).end())});
  };
  print("ready.");
  while (true) {
    std::vector<door::Input> arrived;
    world->wait(~u64{0}, arrived);
    for (const door::Input& input : arrived) {
      if (const auto* typed = std::get_if<door::ConsoleInput>(&input)) {
        if (as_text(typed->bytes) == "!") std::abort();
        print("<" + std::string(as_text(typed->bytes)) + ">");
      }
      if (std::holds_alternative<door::PowerButtonInput>(input)) print("(button)");
      if (std::holds_alternative<door::StopInput>(input)) return print("(stop)");
    }
  }
}

TEST(Terminal, IsRawWhileTheMachineRunsAndAsBeforeWhenItIsLeft) {
  OnATerminal program(echo_until_stopped);
  EXPECT_EQ(program.read_until("ready."), "ready.");
  EXPECT_TRUE(program.raw());
  program.type("\x03");
  EXPECT_THAT(program.read_until(">"), HasSubstr("<\x03>"));
  program.type("\x01p");
  program.read_until("(button)");
  program.type("\x01h");
  EXPECT_THAT(program.read_until("this line"), HasSubstr("Ctrl-A x"));
  program.type("\x01x");
  EXPECT_THAT(program.read_until("(stop)"), HasSubstr("(stop)"));
  EXPECT_EQ(program.end(), 0);
  EXPECT_TRUE(program.as_before());
}

TEST(Terminal, IsAsBeforeAfterATerminationAndAfterAnAbort) {
  {
    OnATerminal program(echo_until_stopped);
    program.read_until("ready.");
    program.signal(SIGTERM);
    EXPECT_THAT(program.read_until("(stop)"), HasSubstr("(stop)"));
    EXPECT_EQ(program.end(), 0);
    EXPECT_TRUE(program.as_before());
  }
  OnATerminal program(echo_until_stopped);
  program.read_until("ready.");
  EXPECT_TRUE(program.raw());
  program.type("!");
  const int status = program.end();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  EXPECT_TRUE(program.as_before());
}

TEST(Terminal, WithPipesTheBytesPassAsTheyAreAndTheEndOfInputIsNoStop) {
  int in[2], out[2];
  ASSERT_EQ(::pipe(in), 0);
  ASSERT_EQ(::pipe(out), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    for (int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
    echo_until_stopped();
    ::_exit(0);
  }
  const Fd input(in[1]), output(out[0]);
  ::close(in[0]);
  ::close(out[1]);
  EXPECT_EQ(read_until(output.get(), "ready."), "ready.");
  ASSERT_EQ(::write(input.get(), "\x01x", 2), 2);
  EXPECT_EQ(read_until(output.get(), ">"), "<\x01x>");
  const_cast<Fd&>(input).reset();
  ::kill(child, SIGTERM);
  EXPECT_EQ(read_until(output.get(), "(stop)"), "(stop)");
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Tap, ANameThatIsNotThereIsRefusedWithTheCommandThatMakesIt) {
  LinuxWorldOptions options = quiet_options();
  options.nics = {{NicOptions::Kind::kTap, "pollux-none"}};
  EXPECT_THAT(LinuxWorld::create(std::move(options)).error().sentence, HasSubstr("ip tuntap add dev pollux-none mode tap"));
}

}  // namespace
}  // namespace pollux::host
