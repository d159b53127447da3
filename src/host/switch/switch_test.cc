// The switch with real sockets: clients, the router behind it, forwarded connections, and the death of a client.
#include "host/switch/switch.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "host/clock.h"
#include "host/switch/toy_guest.h"

namespace pollux::host::switching {
namespace {

constexpr Mac kGuest{0x52, 0x54, 0, 0, 0, 1};
constexpr Mac kOther{0x52, 0x54, 0, 0, 0, 2};
constexpr u32 kRouterIp = 0x0a000202;

Bytes frame(const Mac& to, const Mac& from, std::string_view text) {
  ByteWriter out;
  out.put_bytes(std::as_bytes(std::span(to)));
  out.put_bytes(std::as_bytes(std::span(from)));
  out.put<u16>(0xb588);  // a local experiment's type
  out.put_bytes(as_bytes(text));
  return out.take();
}

// One end of a cable.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(connect_unix(path, SOCK_SEQPACKET)) { EXPECT_TRUE(bool(fd_)); }
  void send(const Bytes& bytes) {
    pollfd room{fd_.get(), POLLOUT, 0};
    ASSERT_EQ(::poll(&room, 1, 10'000), 1);
    ASSERT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  // The next frame; empty after the patience is over.
  Bytes receive(int patience_ms = 10'000) {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, patience_ms) != 1) return {};
    Bytes bytes(70000);
    const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(std::size_t(std::max<ssize_t>(got, 0)));
    return bytes;
  }
  // The next frame that is not the router's.
  Bytes receive_from(const Mac& source) {
    while (true) {
      Bytes bytes = receive();
      if (bytes.size() < 12 || std::memcmp(bytes.data() + 6, source.data(), 6) == 0) return bytes;
    }
  }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

class SwitchTest : public testing::Test {
 protected:
  SwitchTest() {
    std::string name = std::filesystem::temp_directory_path() / "pollux_switch.XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/switch";
  }
  ~SwitchTest() override {
    stop();
    std::filesystem::remove_all(folder_);
  }
  void start(std::vector<Forward> forwards = {}) {
    auto made = Switch::create({path_, std::move(forwards)});
    ASSERT_TRUE(made) << made.error().sentence;
    switch_ = std::move(*made);
    thread_ = std::thread([this] { EXPECT_TRUE(switch_->run()); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    switch_->stop();
    thread_.join();
  }
  // Lets the guest live behind the cable until the condition holds.
  static bool live(ToyGuest& guest, Client& client, const std::function<bool()>& until) {
    const u64 deadline = monotonic_ns() + 10'000 * kNanosecondsPerMs;
    const auto send = [&](const Bytes& bytes) { client.send(bytes); };
    while (!until()) {
      if (monotonic_ns() > deadline) return false;
      const Bytes got = client.receive(100);
      if (!got.empty()) guest.receive(got, send);
    }
    return true;
  }

  // Bad messages are counted; the client that sent them goes on, and nobody else hears of them.
  void expect_only_counted(const std::vector<Bytes>& bad) {
    start();
    Client one(path_), two(path_);
    for (const Bytes& message : bad) one.send(message);
    const Bytes whole = frame(kOther, kGuest, "");
    one.send(whole);
    EXPECT_EQ(two.receive(), whole);
    stop();
    EXPECT_EQ(switch_->counters().bad, bad.size());
  }

  std::string folder_, path_;
  std::unique_ptr<Switch> switch_;
  std::thread thread_;
};

TEST_F(SwitchTest, AnUnknownDestinationIsFloodedAndAKnownOneIsNot) {
  start();
  Client one(path_), two(path_), three(path_);
  const Bytes hello = frame(kOther, kGuest, "hello");
  one.send(hello);
  EXPECT_EQ(two.receive(), hello);
  EXPECT_EQ(three.receive(), hello);
  const Bytes answer = frame(kGuest, kOther, "answer");
  two.send(answer);
  EXPECT_EQ(one.receive(), answer);
  const Bytes again = frame(kOther, kGuest, "again");
  one.send(again);
  EXPECT_EQ(two.receive(), again);
  three.send(frame(kGuest, {0x52, 0x54, 0, 0, 0, 3}, "third"));
  EXPECT_EQ(one.receive(), frame(kGuest, {0x52, 0x54, 0, 0, 0, 3}, "third"));
  EXPECT_TRUE(three.receive(0).empty());
  stop();
  EXPECT_EQ(switch_->counters().flooded, 1u);
}

TEST_F(SwitchTest, AnAnnouncementMovesTheGuestAtOnce) {
  start();
  Client primary(path_), backup(path_), peer(path_);
  primary.send(announcement(kGuest));
  EXPECT_EQ(peer.receive(), announcement(kGuest));
  EXPECT_EQ(backup.receive(), announcement(kGuest));
  backup.send(announcement(kGuest));
  EXPECT_EQ(peer.receive(), announcement(kGuest));
  const Bytes data = frame(kGuest, kOther, "data");
  peer.send(data);
  EXPECT_EQ(backup.receive(), data);
  EXPECT_EQ(primary.receive(), announcement(kGuest));  // the backup's, and then nothing
  EXPECT_TRUE(primary.receive(0).empty());
  stop();
  EXPECT_EQ(switch_->counters().moves, 1u);
}

TEST_F(SwitchTest, WhatIsSentToADeadPrimaryReachesItsBackupWithTheAnnouncement) {
  start();
  std::optional<Client> primary(path_);
  Client backup(path_), peer(path_);
  primary->send(announcement(kGuest));
  EXPECT_EQ(peer.receive(), announcement(kGuest));
  EXPECT_EQ(backup.receive(), announcement(kGuest));
  primary.reset();
  // A broadcast comes back when the switch has seen everything before it, the closed cable included: a poll serves
  // ports in order of connection.
  const Mac everyone{255, 255, 255, 255, 255, 255};
  peer.send(frame(everyone, kOther, "before"));
  EXPECT_EQ(backup.receive(), frame(everyone, kOther, "before"));
  peer.send(frame(kGuest, kOther, "meanwhile"));
  peer.send(frame(everyone, kOther, "after"));
  EXPECT_EQ(backup.receive(), frame(everyone, kOther, "after"));  // not flooded to one that may not live yet
  backup.send(announcement(kGuest));
  EXPECT_EQ(backup.receive(), frame(kGuest, kOther, "meanwhile"));
  EXPECT_EQ(peer.receive(), announcement(kGuest));
}

TEST_F(SwitchTest, AClientThatDoesNotReadMakesNobodyWait) {
  start();
  Client stuck(path_), one(path_), two(path_);
  stuck.send(announcement({0x52, 0x54, 0, 0, 0, 9}));
  one.receive();
  two.receive();
  two.send(announcement(kOther));
  EXPECT_EQ(one.receive(), announcement(kOther));
  const std::string text(1400, 'x');
  for (int i = 0; i < 6000; ++i) {
    one.send(frame({0x52, 0x54, 0, 0, 0, 9}, kGuest, text));
    one.send(frame(kOther, kGuest, text));
    ASSERT_EQ(two.receive().size(), 1414u);
  }
  stop();
  EXPECT_GT(switch_->counters().dropped, 1000u);
}

TEST_F(SwitchTest, ARuntIsCountedAndOtherwiseIgnored) {
  expect_only_counted({Bytes(13)});
}

TEST_F(SwitchTest, AMessageOfNothingOrOfTooMuchPullsNoCable) {
  expect_only_counted({Bytes(), Bytes(70'000)});
}

// What waited for the router's address is handed to it with its own first frame, out of its library's middle.
TEST_F(SwitchTest, AClientThatClaimedTheRoutersAddressAndLeftCostsNothing) {
  start();
  constexpr Mac kRouter{0x52, 0x55, 10, 0, 2, 2}, kEveryone{255, 255, 255, 255, 255, 255};
  std::optional<Client> impostor(path_);
  Client cable(path_), witness(path_);
  ToyGuest guest(kGuest);
  const auto send = [&](const Bytes& bytes) { cable.send(bytes); };
  impostor->send(announcement(kRouter));
  EXPECT_EQ(cable.receive(), announcement(kRouter));
  EXPECT_EQ(witness.receive(), announcement(kRouter));
  impostor.reset();
  cable.send(frame(kEveryone, kGuest, "after"));  // seen after the cable that was pulled before
  EXPECT_EQ(witness.receive_from(kGuest), frame(kEveryone, kGuest, "after"));
  guest.ping(kRouterIp, send);
  guest.ask_who_has(kRouterIp, send);
  EXPECT_TRUE(live(guest, cable, [&] { return guest.echo_replies == 1 && guest.answered_arp == kRouterIp; }));
}

TEST_F(SwitchTest, FragmentsOfAGuestReachTheOutsideAndOverlappingOnesHarmNobody) {
  start();
  Client cable(path_);
  ToyGuest guest(kGuest);
  const auto send = [&](const Bytes& bytes) { cable.send(bytes); };
  guest.ask_for_address(send);  // and so its Ethernet address is known
  ASSERT_TRUE(live(guest, cable, [&] { return guest.offered_ip != 0; }));
  for (int round = 0; round < 200; ++round) {
    for (u16 offset : {0, 8, 1, 64, 8191, 0}) guest.send_fragment(kRouterIp, offset, round % 3 != 0, 1400, send);
  }
  guest.ping(kRouterIp, send, 3000);
  EXPECT_TRUE(live(guest, cable, [&] { return guest.echo_replies == 1; }));
}

TEST_F(SwitchTest, TheRouterGivesTheFirstGuestItsAddressAndAnswersArpAndPing) {
  start();
  Client cable(path_);
  ToyGuest guest(kGuest);
  const auto send = [&](const Bytes& bytes) { cable.send(bytes); };
  guest.ask_for_address(send);
  EXPECT_TRUE(live(guest, cable, [&] { return guest.offered_ip == 0x0a00020f; }));
  guest.ask_who_has(kRouterIp, send);
  EXPECT_TRUE(live(guest, cable, [&] { return guest.answered_arp == kRouterIp; }));
  guest.ping(kRouterIp, send);
  EXPECT_TRUE(live(guest, cable, [&] { return guest.echo_replies == 1; }));
}

u16 free_port() {
  const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Fd connect_to(u16 port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

std::string read_text(const Fd& fd, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    char buffer[64];
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 10'000) != 1) break;
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, std::size_t(got));
  }
  return text;
}

TEST_F(SwitchTest, AForwardedConnectionOutlivesTheClientThatCarriedIt) {
  const u16 port = free_port();
  start({*parse_forward("tcp:" + std::to_string(port) + ":7")});
  std::optional<Client> primary(path_);
  Client backup(path_);
  ToyGuest guest(kGuest);
  guest.ask_for_address([&](const Bytes& bytes) { primary->send(bytes); });
  ASSERT_TRUE(live(guest, *primary, [&] { return guest.offered_ip != 0; }));
  const Fd peer = connect_to(port);
  ASSERT_TRUE(bool(peer));
  ASSERT_TRUE(live(guest, *primary, [&] { return guest.connected; }));
  ASSERT_EQ(::send(peer.get(), "one ", 4, 0), 4);
  ASSERT_TRUE(live(guest, *primary, [&] { return guest.heard == "one "; }));
  guest.say("uno ", [&](const Bytes& bytes) { primary->send(bytes); });
  EXPECT_EQ(read_text(peer, 4), "uno ");

  primary.reset();
  ASSERT_EQ(::send(peer.get(), "two ", 4, 0), 4);
  backup.send(announcement(kGuest));
  EXPECT_TRUE(live(guest, backup, [&] { return guest.heard == "one two "; }));
  guest.say("due ", [&](const Bytes& bytes) { backup.send(bytes); });
  EXPECT_EQ(read_text(peer, 4), "due ");
}

// As `pollux switch` runs: a process of its own, confined.
TEST_F(SwitchTest, AConfinedSwitchForwardsAndReachesOutAndEndsWithItsSocket) {
  const u16 port = free_port();
  const pid_t process = ::fork();
  if (process == 0) {
    const auto ended = run_switch({path_, {*parse_forward("tcp:" + std::to_string(port) + ":7")}});
    ::_exit(ended ? 0 : 1);
  }
  const u64 deadline = monotonic_ns() + 10'000 * kNanosecondsPerMs;
  while (!connect_unix(path_, SOCK_SEQPACKET) && monotonic_ns() < deadline) std::this_thread::yield();
  {
    Client cable(path_);
    ToyGuest guest(kGuest);
    const auto send = [&](const Bytes& bytes) { cable.send(bytes); };
    guest.ask_for_address(send);
    ASSERT_TRUE(live(guest, cable, [&] { return guest.offered_ip != 0; }));
    const Fd peer = connect_to(port);
    ASSERT_TRUE(live(guest, cable, [&] { return guest.connected; }));
    guest.say("hello", send);
    EXPECT_EQ(read_text(peer, 5), "hello");

    const Fd outside(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(outside.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(outside.get(), reinterpret_cast<sockaddr*>(&address), &size);
    guest.send_datagram(kRouterIp, ntohs(address.sin_port), "question", send);
    pollfd wait{outside.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    char text[16];
    ASSERT_EQ(::recvfrom(outside.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&address), &size), 8);
    ::sendto(outside.get(), "answer", 6, 0, reinterpret_cast<sockaddr*>(&address), size);
    EXPECT_TRUE(live(guest, cable, [&] { return guest.datagrams == "answer"; }));
  }
  ::kill(process, SIGTERM);
  int status = -1;
  ::waitpid(process, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SwitchTest, AStaleSocketIsReplacedAndALiveOneIsNot) {
  start();
  const auto second = Switch::create({path_, {}});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().sentence, testing::HasSubstr("in use by another process"));
  stop();
  switch_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
  {
    // As a killed switch leaves it: bound, and nobody listens.
    const Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path_.copy(address.sun_path, path_.size());
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  start();
  Client works(path_);
}

TEST_F(SwitchTest, AFileAtTheSocketsPlaceIsLeftAlone) {
  std::ofstream(path_) << "mine";
  const auto made = Switch::create({path_, {}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().sentence, testing::HasSubstr("is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 4u);
}

TEST_F(SwitchTest, AForwardedPortInUseIsSaidSo) {
  const u16 port = free_port();
  start({*parse_forward("tcp:" + std::to_string(port) + ":22")});
  const auto second = Switch::create({path_ + "2", {*parse_forward("tcp:" + std::to_string(port) + ":22")}});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().sentence, testing::HasSubstr("port " + std::to_string(port)));
  EXPECT_THAT(second.error().sentence, testing::HasSubstr("in use by another process"));
}

}  // namespace
}  // namespace pollux::host::switching
