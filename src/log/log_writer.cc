#include "log/log_writer.h"

#include "base/check.h"
#include "base/checksum.h"
#include "log/codec.h"

namespace pollux::log {

LogWriter::LogWriter(const LogHeader& header) : previous_(header.start_position) {
  ByteWriter body;
  body.put_text(header.pollux_version);
  body.put<u8>(u8(header.start));
  body.put_varint(header.start_position.value);
  body.put_text(header.checkpoint);
  body.put_sized(header.configuration);
  POLLUX_CHECK(body.size() <= kMaxHeaderBodyBytes, "a log's header has a bounded size");
  out_.put_bytes(as_bytes(kMagic));
  out_.put<u32>(kFormatVersion);
  out_.put<u32>(u32(body.size()));
  out_.put_bytes(body.bytes());
  out_.put<u64>(checksum(out_.bytes()));
  bytes_made_ = out_.size();
}

void LogWriter::add(const Entry& entry) {
  POLLUX_CHECK(entry.position >= previous_, "positions in a log never decrease");
  if (payload_.size() == 0) {
    payload_.put_varint(entry.position.value);
    previous_ = entry.position;
  }
  encode(entry, previous_, payload_);
  if (payload_.size() >= kFullPayloadBytes) flush();
}

void LogWriter::flush() {
  if (payload_.size() == 0) return;
  const Bytes payload = payload_.take();
  POLLUX_CHECK(payload.size() <= kMaxPayloadBytes, "an entry fits in a frame");
  ByteWriter length;
  length.put<u32>(u32(payload.size()));
  out_.put_bytes(length.bytes());
  out_.put<u32>(u32(checksum(length.bytes(), frame_)));
  out_.put<u64>(checksum(payload, frame_));
  out_.put_bytes(payload);
  bytes_made_ += kFrameHeadBytes + payload.size();
  ++frame_;
}

}  // namespace pollux::log
