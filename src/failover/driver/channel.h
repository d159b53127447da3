// The channel between the two sides: messages over one TCP connection, encrypted and authenticated. Nothing here blocks
// after open(): what cannot be sent at once waits in a buffer, what has not arrived is not waited for.
//
// One thread at a time; its owner has the lock. Bytes are described in docs/protocol/failover.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "failover/driver/descriptor.h"
#include "failover/driver/security.h"
#include "failover/wire.h"

struct ssl_st;

namespace pollux::failover::driver {

class Channel {
 public:
  // Makes the TLS handshake over a connected socket, for at most timeout_ms. Fails with a sentence: the other side has
  // another key, or does not speak TLS, or closed.
  static Result<std::unique_ptr<Channel>> open(Descriptor socket, const TlsContext& tls, int timeout_ms);
  ~Channel();

  // Encodes and sends as much as the socket takes.
  void send(const Message& message);
  // Tries to send what waits.
  void flush();
  bool wants_write() const { return !mute_ && out_taken_ < out_.size(); }

  // Appends what has arrived. False: the channel is closed, why() says by what.
  bool read(std::vector<Message>& messages);
  const std::string& why() const { return why_; }

  int fd() const { return socket_.get(); }
  // Sends what waits for at most timeout_ms, then ends the connection.
  void close(int timeout_ms);

  // 32 bytes that only the two ends of this channel know (plain text: that everybody knows).
  const Bytes& heartbeat_key() const { return heartbeat_key_; }

  u64 bytes_sent() const { return bytes_sent_; }

 private:
  Channel(Descriptor socket) : socket_(std::move(socket)) {}
  Result<void> shake_hands(const TlsContext& tls, int timeout_ms);
  // Bytes moved; 0: not now; negative: never again.
  long write_some(const std::byte* bytes, std::size_t count);
  long read_some(std::byte* bytes, std::size_t count);
  void broken(std::string why);
  long unwritable();
  // Why the TLS library gave up, in a sentence.
  std::string distrust() const;

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  Descriptor socket_;
  std::unique_ptr<ssl_st, Free> ssl_;
  Security security_;
  Bytes heartbeat_key_;
  Bytes out_;
  std::size_t out_taken_ = 0;
  MessageReader reader_;
  std::string why_;
  bool broken_ = false;  // nothing more will be read
  bool mute_ = false;    // nothing more will be written; what has arrived is read all the same
  u64 bytes_sent_ = 0;
};

}  // namespace pollux::failover::driver
