#include "log/log_reader.h"

#include <algorithm>

#include "base/checksum.h"
#include "log/codec.h"

namespace pollux::log {
namespace {
constexpr std::size_t kKeptCapacity = std::size_t{8} << 20;
}  // namespace

void LogReader::feed(ByteSpan bytes) {
  if (state_ != LogState::kReading) return;
  if (used_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + std::ptrdiff_t(used_));
    used_ = 0;
    if (buffer_.capacity() > kKeptCapacity) buffer_.shrink_to_fit();  // the header, with kernel and initrd, is gone
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  parse();
}

void LogReader::finish() {
  if (state_ != LogState::kReading) return;
  if (!header_) {
    // A short piece of our own magic may be a log cut very early; anything else is somebody else's file.
    const std::size_t known = std::min(buffer_.size(), kMagic.size());
    const bool ours = known > 0 && as_text(buffer_).substr(0, known) == kMagic.substr(0, known);
    state_ = ours ? LogState::kTruncated : LogState::kForeign;
  } else {
    state_ = rest().empty() ? LogState::kNotClosed : LogState::kTruncated;
  }
}

std::optional<Entry> LogReader::next() {
  if (ready_.empty()) return std::nullopt;
  Ready ready = std::move(ready_.front());
  ready_.pop_front();
  entry_bytes_ = ready.bytes;
  return std::move(ready.entry);
}

void LogReader::consume(std::size_t count) {
  used_ += count;
  good_bytes_ += count;
}

void LogReader::parse() {
  if (!header_ && !parse_header()) return;
  while (state_ == LogState::kReading && parse_frame()) {
  }
}

bool LogReader::parse_header() {
  const std::size_t known = std::min(buffer_.size(), kMagic.size());
  if (as_text(buffer_).substr(0, known) != kMagic.substr(0, known)) {
    state_ = LogState::kForeign;
    return false;
  }
  if (buffer_.size() < kHeaderFixedBytes) return false;
  ByteReader fixed(ByteSpan(buffer_).subspan(kMagic.size()));
  const u32 version = fixed.get<u32>();
  const std::size_t body_bytes = fixed.get<u32>();
  if (body_bytes > kMaxHeaderBodyBytes) {
    state_ = LogState::kDamaged;
    return false;
  }
  const std::size_t covered = kHeaderFixedBytes + body_bytes;
  if (buffer_.size() < covered + kChecksumBytes) return false;
  const ByteSpan all(buffer_);
  if (ByteReader(all.subspan(covered)).get<u64>() != checksum(all.first(covered))) {
    state_ = LogState::kDamaged;
    return false;
  }
  // The Pollux version comes first in every format, so that the operator learns which program to use.
  ByteReader body(all.subspan(kHeaderFixedBytes, body_bytes));
  LogHeader header;
  header.pollux_version = body.get_text();
  if (version != kFormatVersion) {
    other_version_ = version;
    other_pollux_ = header.pollux_version;
    state_ = LogState::kOtherVersion;
    return false;
  }
  const u8 start = body.get<u8>();
  header.start = StartPoint(start);
  header.start_position = door::Position(body.get_varint());
  header.checkpoint = body.get_text();
  const ByteSpan configuration = body.get_sized();
  header.configuration.assign(configuration.begin(), configuration.end());
  if (!body.ok() || !body.at_end() || start > u8(StartPoint::kCheckpoint)) {
    state_ = LogState::kDamaged;
    return false;
  }
  previous_ = header.start_position;
  header_ = std::move(header);
  consume(covered + kChecksumBytes);
  return true;
}

bool LogReader::parse_frame() {
  ByteReader head(rest());
  const ByteSpan length_bytes = rest().first(std::min<std::size_t>(rest().size(), 4));
  const std::size_t length = head.get<u32>();
  const u32 head_check = head.get<u32>();
  const u64 payload_check = head.get<u64>();
  if (!head.ok()) return false;
  if (head_check != u32(checksum(length_bytes, frame_)) || length == 0 || length > kMaxPayloadBytes) {
    state_ = LogState::kDamaged;
    return false;
  }
  const ByteSpan payload = head.get_bytes(length);
  if (!head.ok()) return false;
  if (payload_check != checksum(payload, frame_) || !parse_entries(payload)) {
    state_ = LogState::kDamaged;
    return false;
  }
  consume(kFrameHeadBytes + length);
  ++frame_;
  return true;
}

bool LogReader::parse_entries(ByteSpan payload) {
  ByteReader in(payload);
  door::Position previous(in.get_varint());
  if (!in.ok() || previous < previous_) return false;
  std::deque<Ready> entries;
  bool ended = false;
  while (!in.at_end()) {
    if (ended) return false;  // nothing comes after an End
    const std::size_t left = in.left();
    Ready ready;
    if (!decode(in, previous, ready.entry)) return false;
    ready.bytes = left - in.left();
    ended = std::holds_alternative<End>(ready.entry.body);
    entries.push_back(std::move(ready));
  }
  if (entries.empty()) return false;
  previous_ = previous;
  std::ranges::move(entries, std::back_inserter(ready_));
  if (ended) state_ = LogState::kEnded;
  return true;
}

std::string LogReader::sentence() const {
  const std::string last_good = "; it is good up to byte " + std::to_string(good_bytes_) + ", position " +
                                std::to_string(previous_.value);
  switch (state()) {
    case LogState::kReading:
    case LogState::kEnded:
      return "";
    case LogState::kNotClosed:
      return "the log was not closed: its recording was cut off after position " + std::to_string(previous_.value);
    case LogState::kTruncated:
      return header_ ? "the log is truncated: the file ends inside frame " + std::to_string(frame_) + last_good
                     : "the log is truncated: the file ends inside its header";
    case LogState::kDamaged:
      return header_ ? "the log is damaged in frame " + std::to_string(frame_) + " at byte " +
                           std::to_string(good_bytes_) + last_good
                     : "the log is damaged: its header has a wrong checksum";
    case LogState::kForeign:
      return "this file is not a Pollux log";
    case LogState::kOtherVersion:
      return "the log has format version " + std::to_string(other_version_) + ", but this program reads version " +
             std::to_string(kFormatVersion) + "; use Pollux " + other_pollux_ + ", which wrote it";
  }
  return "";
}

}  // namespace pollux::log
