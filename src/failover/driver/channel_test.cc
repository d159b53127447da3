#include "failover/driver/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>
#include <thread>

#include "failover/driver/driver_test_tools.h"
#include "failover/driver/heartbeat_socket.h"
#include "failover/driver/socket.h"

namespace pollux::failover::driver {
namespace {

Security key(int number) {
  Security security;
  security.key = Bytes(32, std::byte(number));
  security.shown = "key" + std::to_string(number);
  return security;
}

struct Ends {
  Result<std::unique_ptr<Channel>> client = nullptr;
  Result<std::unique_ptr<Channel>> server = nullptr;
};

Ends meet(const Security& client, const Security& server) {
  const Address any = *resolve("127.0.0.1:0");
  Descriptor listener = std::move(*listen_tcp(any, "a port"));
  const std::string there = "127.0.0.1:" + std::to_string(port_of(listener.get()));
  Ends ends;
  std::thread serving([&] {
    pollfd waiting{listener.get(), POLLIN, 0};
    ::poll(&waiting, 1, 5000);
    Address from;
    auto socket = accept_tcp(listener.get(), from);
    ends.server = Channel::open(std::move(*socket), *TlsContext::create(server, TlsContext::Side::kServer), 3000);
  });
  ends.client = Channel::open(std::move(*connect_tcp(*resolve(there), there, 3000)),
                              *TlsContext::create(client, TlsContext::Side::kClient), 3000);
  serving.join();
  return ends;
}

// Reads until so many messages came, the end, or too long.
std::vector<Message> read(Channel& channel, std::size_t count) {
  std::vector<Message> messages;
  while (messages.size() < count) {
    pollfd waiting{channel.fd(), POLLIN, 0};
    if (::poll(&waiting, 1, 3000) <= 0 || !channel.read(messages)) break;
  }
  return messages;
}

class ChannelOf : public testing::TestWithParam<bool> {
 protected:
  static Ends pair() { return GetParam() ? meet(key(1), key(1)) : meet(Security::plain_text(), Security::plain_text()); }
};
INSTANTIATE_TEST_SUITE_P(Security, ChannelOf, testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Key" : "PlainText"; });

TEST_P(ChannelOf, CarriesMessagesBothWaysAndTheEnd) {
  Ends ends = pair();
  ASSERT_TRUE(ends.client) << ends.client.error().sentence;
  ASSERT_TRUE(ends.server) << ends.server.error().sentence;
  (*ends.client)->send(KeepAlive{1, door::Position(2)});
  (*ends.client)->send(Dropped{"slow"});
  EXPECT_EQ(read(**ends.server, 2).size(), 2u);
  (*ends.server)->send(Refused{"no"});
  (*ends.server)->close(1000);
  const auto last = read(**ends.client, 2);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(std::get<Refused>(last[0]).sentence, "no");
  EXPECT_THAT((*ends.client)->why(), testing::HasSubstr("closed"));
}

TEST_P(ChannelOf, HoldsBackWhatTheOtherSideDoesNotRead) {
  Ends ends = pair();
  ASSERT_TRUE(ends.client && ends.server);
  const log::Entry entry{door::Position(1), door::Input{door::PacketInput{0, Bytes(1 << 20)}}};
  std::size_t sent = 0;
  for (; sent < 64 && !(*ends.client)->wants_write(); ++sent) (*ends.client)->send(Log{.first = sent, .entries = {entry}});
  ASSERT_TRUE((*ends.client)->wants_write()) << "and did not block";
  std::vector<Message> messages;
  while (messages.size() < sent) {
    (*ends.client)->flush();
    ASSERT_TRUE((*ends.server)->read(messages));
  }
  EXPECT_EQ(std::get<Log>(messages.back()).entries.at(0), entry);
}

TEST_P(ChannelOf, WritingToWhoIsGoneRaisesNoSignal) {
  Ends ends = pair();
  ASSERT_TRUE(ends.client && ends.server);
  (*ends.server).reset();
  for (int i = 0; i < 10; ++i) {
    (*ends.client)->send(KeepAlive{});
    ::usleep(2000);
  }
  EXPECT_FALSE((*ends.client)->wants_write());
  std::vector<Message> none;
  EXPECT_FALSE((*ends.client)->read(none));
}

TEST(Channel, AnotherKeyIsASentenceOnBothSides) {
  const Ends ends = meet(key(1), key(2));
  ASSERT_FALSE(ends.client && ends.server);
  ASSERT_FALSE(ends.server);
  EXPECT_THAT(ends.server.error().sentence, testing::HasSubstr("another cluster key than key2"));
  ASSERT_FALSE(ends.client);
  EXPECT_THAT(ends.client.error().sentence, testing::HasSubstr("another cluster key than key1"));
}

TEST(Channel, PlainTextIsNotTakenForTls) {
  const Ends ends = meet(Security::plain_text(), key(1));
  EXPECT_FALSE(ends.server);
}

TEST(Channel, CertificatesOfOneAuthorityMeetAndOthersDoNot) {
  TemporaryFolder folder;
  const auto shell = [](const std::string& line) { return std::system((line + " >/dev/null 2>&1").c_str()) == 0; };
  const auto authority = [&](const std::string& name) {
    return shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
                 " -keyout " + folder / (name + ".key") + " -out " + folder / (name + ".pem"));
  };
  if (!authority("ca") || !authority("other")) GTEST_SKIP() << "needs the openssl program";
  ASSERT_TRUE(shell("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=host -keyout " +
                    folder / "host.key" + " -out " + folder / "host.csr" + " && openssl x509 -req -days 2 -in " +
                    folder / "host.csr" + " -CA " + folder / "ca.pem" + " -CAkey " + folder / "ca.key" +
                    " -CAcreateserial -out " + folder / "host.pem"));
  const Security good{.kind = Security::Kind::kCertificates, .certificate = folder / "host.pem",
                      .private_key = folder / "host.key", .authority = folder / "ca.pem"};
  const Security stranger{.kind = Security::Kind::kCertificates, .certificate = folder / "other.pem",
                          .private_key = folder / "other.key", .authority = folder / "ca.pem"};
  Ends ends = meet(good, good);
  ASSERT_TRUE(ends.client) << ends.client.error().sentence;
  ASSERT_TRUE(ends.server) << ends.server.error().sentence;
  EXPECT_EQ((*ends.client)->heartbeat_key(), (*ends.server)->heartbeat_key());
  EXPECT_FALSE(meet(stranger, good).server);
}

TEST(Security, AKeyFileIsReadAsItWasMade) {
  TemporaryFolder folder;
  std::ofstream(folder / "good") << std::string(64, 'a') << "\n";
  std::ofstream(folder / "short") << "abc\n";
  auto good = read_key(folder / "good");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->key, Bytes(32, std::byte{0xaa}));
  EXPECT_THAT(read_key(folder / "short").error().sentence, testing::HasSubstr("holds no key"));
  EXPECT_THAT(read_key(folder / "none").error().sentence, testing::HasSubstr("make one with pollux key"));
}

TEST(Socket, AddressesAndPortsAreCheckedWithSentences) {
  EXPECT_FALSE(resolve("nowhere"));
  EXPECT_TRUE(resolve("[::1]:7000"));
  EXPECT_TRUE(resolve(":7000"));
  const Descriptor taken = std::move(*listen_tcp(*resolve("127.0.0.1:0"), "first"));
  const std::string same = "127.0.0.1:" + std::to_string(port_of(taken.get()));
  EXPECT_THAT(listen_tcp(*resolve(same), same).error().sentence, testing::HasSubstr("port in use: " + same));
  EXPECT_THAT(connect_tcp(*resolve("127.0.0.1:1"), "127.0.0.1:1", 1000).error().sentence,
              testing::HasSubstr("no backup answers at 127.0.0.1:1"));
}

TEST(HeartbeatSocket, OnlyWhoKnowsTheKeyIsHeardAndAnswered) {
  auto backup = HeartbeatSocket::at(*resolve("127.0.0.1:0"));
  ASSERT_TRUE(backup);
  const Address there = *resolve("127.0.0.1:" + std::to_string(port_of(backup->fd())));
  auto primary = HeartbeatSocket::to(there), stranger = HeartbeatSocket::to(there);
  backup->set_key(Bytes(32, std::byte{1}));
  primary->set_key(Bytes(32, std::byte{1}));
  stranger->set_key(Bytes(32, std::byte{2}));
  const Heartbeat beat{Generation(3), true, 5, 4};
  const auto arrives = [](HeartbeatSocket& at) {
    pollfd waiting{at.fd(), POLLIN, 0};
    ::poll(&waiting, 1, 1000);
    return at.receive();
  };
  stranger->send(beat);
  EXPECT_FALSE(arrives(*backup));
  primary->send(beat);
  EXPECT_EQ(arrives(*backup), beat);
  backup->send({Generation(3), false, 6, 5});
  ASSERT_TRUE(arrives(*primary));
}

}  // namespace
}  // namespace pollux::failover::driver
