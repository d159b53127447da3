// Messages to bytes and back: the encoding of docs/protocol/failover.md, "Wire". Used by the drivers; the decisions
// know messages only.
//
//   frame  = length u32 | kind u8 | body          length counts kind and body, little-endian
//   kinds    1 hello  2 log  3 keep-alive  4 dropped  16 welcome  17 refused  18 ack  19 leaving
//
// Invariants
//  1. decode(encode(m)) == m.
//  2. The reader keeps at most one frame of at most kMaxFrameBytes; a longer one is refused before it is stored.
//  3. Bytes that no encoder makes are an error, never a crash and never a message.
// Authenticity is not its business: TLS and the heartbeat's code (driver/heartbeat.h) see to that.
#pragma once

#include <optional>

#include "base/result.h"
#include "failover/message.h"

namespace pollux::failover {

// The largest message is a hello: a machine's configuration has its kernel and initrd in it.
inline constexpr u32 kMaxFrameBytes = 256 << 20;

void encode(const Message& message, ByteWriter& out);

// A stream of bytes cut into messages.
class MessageReader {
 public:
  void feed(ByteSpan bytes);
  // nullopt: more bytes are needed. After an error the stream is of no further use.
  Result<std::optional<Message>> next();

 private:
  Bytes buffer_;
  std::size_t taken_ = 0;
};

// A heartbeat stands in a datagram of its own.
void encode(const Heartbeat& heartbeat, ByteWriter& out);
std::optional<Heartbeat> decode_heartbeat(ByteSpan bytes);

}  // namespace pollux::failover
