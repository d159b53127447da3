// Heartbeats beside the channel: datagrams that the two ends of one channel can make and nobody else can (HMAC-SHA256,
// cut to 16 bytes, under a key that the channel's handshake gave).
//
//   datagram = heartbeat (wire.h) | code 16 bytes
#pragma once

#include <optional>

#include "failover/driver/socket.h"
#include "failover/message.h"

namespace pollux::failover::driver {

class HeartbeatSocket {
 public:
  // The primary's, which sends to the backup's address; or the backup's, which answers whoever proved itself last.
  static Result<HeartbeatSocket> to(const Address& backup);
  static Result<HeartbeatSocket> at(const Address& own);

  void set_key(Bytes key) { key_ = std::move(key); }
  void send(const Heartbeat& heartbeat);
  // The next genuine one that has arrived; does not wait.
  std::optional<Heartbeat> receive();
  int fd() const { return socket_.get(); }

 private:
  explicit HeartbeatSocket(Descriptor socket, bool connected) : socket_(std::move(socket)), connected_(connected) {}

  Descriptor socket_;
  bool connected_;
  Bytes key_;
  std::optional<Address> peer_;
};

}  // namespace pollux::failover::driver
