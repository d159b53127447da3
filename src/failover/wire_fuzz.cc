// Any bytes into the pair's parsers: no crash, no message that encodes to something else.
#include "base/check.h"
#include "failover/wire.h"

using namespace pollux;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  failover::MessageReader reader;
  const std::size_t half = size / 2;
  reader.feed(bytes.first(half));
  bool fed_rest = false;
  while (true) {
    auto message = reader.next();
    if (!message) break;
    if (!*message) {
      if (fed_rest) break;
      reader.feed(bytes.subspan(half));
      fed_rest = true;
      continue;
    }
    ByteWriter out;
    failover::encode(**message, out);
    failover::MessageReader again;
    again.feed(out.bytes());
    auto same = again.next();
    POLLUX_CHECK(same && *same && **same == **message, "a message survives the wire");
  }
  if (auto heartbeat = failover::decode_heartbeat(bytes)) {
    ByteWriter out;
    failover::encode(*heartbeat, out);
    POLLUX_CHECK(out.bytes() == Bytes(bytes.begin(), bytes.end()), "a heartbeat survives the wire");
  }
  return 0;
}
