#include "failover/driver/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>
#include <thread>

#include "failover/driver/certificate_maker.h"
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

// Certificates of two authorities in a folder.
class Certificates : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name : {"ca", "other"}) {
      const Credentials authority = *make_authority(name);
      write(name, authority);
      write("host-of-" + name, *make_certificate("host", authority));
    }
  }
  void write(const std::string& name, const Credentials& made) {
    std::ofstream(folder_ / (name + ".pem")) << made.certificate;
    std::ofstream(folder_ / (name + ".key")) << made.private_key;
  }
  Security host_of(const std::string& signer, const std::string& trusted) const {
    return {.kind = Security::Kind::kCertificates, .certificate = folder_ / ("host-of-" + signer + ".pem"),
            .private_key = folder_ / ("host-of-" + signer + ".key"), .authority = folder_ / (trusted + ".pem")};
  }
  // What a side that was met says in the end.
  static std::string end_of(Result<std::unique_ptr<Channel>>& side) {
    if (!side) return side.error().sentence;
    read(**side, 1);
    return (*side)->why();
  }

  TemporaryFolder folder_;
};

TEST_F(Certificates, OfOneAuthorityMeet) {
  Ends ends = meet(host_of("ca", "ca"), host_of("ca", "ca"));
  ASSERT_TRUE(ends.client) << ends.client.error().sentence;
  ASSERT_TRUE(ends.server) << ends.server.error().sentence;
  EXPECT_EQ((*ends.client)->heartbeat_key(), (*ends.server)->heartbeat_key());
  (*ends.client)->send(KeepAlive{1, door::Position(2)});
  EXPECT_EQ(read(**ends.server, 1).size(), 1u);
}

TEST_F(Certificates, OfTwoAuthoritiesAreASentenceOnBothSides) {
  Ends ends = meet(host_of("other", "other"), host_of("ca", "ca"));
  EXPECT_THAT(end_of(ends.client), testing::HasSubstr("certificate is refused"));
  EXPECT_THAT(end_of(ends.server), testing::AnyOf(testing::HasSubstr("refuses the certificate"), testing::HasSubstr("closed")));
}

TEST_F(Certificates, OfAClientThatTheServerDoesNotKnowAreASentenceOnBothSides) {
  // The client's authority file holds both, the server's only its own.
  std::ofstream(folder_ / "both.pem") << std::ifstream(folder_ / "ca.pem").rdbuf()
                                      << std::ifstream(folder_ / "other.pem").rdbuf();
  Ends ends = meet(host_of("other", "both"), host_of("ca", "ca"));
  ASSERT_FALSE(ends.server);
  EXPECT_THAT(ends.server.error().sentence, testing::HasSubstr("certificate is refused"));
  EXPECT_THAT(end_of(ends.client), testing::HasSubstr("refuses the certificate"));
}

TEST_F(Certificates, DoNotStandInForAKey) {
  // A server that answers with a certificate in place of the key, and a client that has certificates only.
  Security lax = host_of("ca", "ca");
  Ends ends = meet(key(1), lax);
  ASSERT_FALSE(ends.client);
  EXPECT_THAT(ends.client.error().sentence, testing::HasSubstr("key1"));
  EXPECT_FALSE(ends.server);
  ends = meet(lax, key(1));
  EXPECT_FALSE(ends.client);
  EXPECT_FALSE(ends.server);
}

TEST_F(Certificates, ThatCannotBeUsedAreNamedBeforeAnyConnection) {
  const auto sentence = [&](const Security& security) {
    const auto made = TlsContext::create(security, TlsContext::Side::kClient);
    return made ? "accepted" : made.error().sentence;
  };
  EXPECT_THAT(sentence(host_of("other", "ca")), testing::HasSubstr("host-of-other.pem is no good with the authority"));
  EXPECT_THAT(sentence(host_of("nobody", "ca")), testing::HasSubstr("host-of-nobody.pem cannot be read"));
  EXPECT_THAT(sentence(host_of("ca", "nobody")), testing::HasSubstr("nobody.pem cannot be read"));
  Security mixed = host_of("ca", "ca");
  mixed.private_key = folder_ / "host-of-other.key";
  EXPECT_THAT(sentence(mixed), testing::HasSubstr("host-of-other.key cannot be read, or is not that of"));
}

TEST_F(Certificates, AreNotSignedByHalfAnAuthority) {
  const Credentials one = *make_authority("one"), two = *make_authority("two");
  EXPECT_FALSE(make_certificate("host", {one.certificate, two.private_key}));
  EXPECT_FALSE(make_certificate("host", {"", ""}));
  EXPECT_FALSE(make_certificate("", one));
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
