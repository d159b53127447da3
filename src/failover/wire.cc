#include "failover/wire.h"

#include <bit>

#include "base/check.h"
#include "log/codec.h"

namespace pollux::failover {
namespace {

enum class Kind : u8 {
  kHello = 1,
  kLog = 2,
  kKeepAlive = 3,
  kDropped = 4,
  kWelcome = 16,
  kRefused = 17,
  kAck = 18,
  kLeaving = 19,
};

constexpr std::size_t kMaxDisks = 4096;
constexpr u8 kHeartbeatMark = 0x70;

// ---- bodies, writers above readers, in the same order of fields

void write(const Hello& m, ByteWriter& out) {
  out.put_varint(m.protocol);
  out.put_text(m.version);
  out.put_text(m.pair);
  out.put_text(m.name);
  out.put_varint(m.generation.value);
  out.put_varint(m.timeout_ns);
  out.put_sized(m.configuration);
  out.put_varint(m.disks.size());
  for (const DiskIdentity& disk : m.disks) {
    out.put_varint(disk.size_bytes);
    out.put<u8>(disk.read_only);
    out.put<u64>(disk.identity);
  }
}

bool read(Hello& m, ByteReader& in) {
  const u64 protocol = in.get_varint();
  m.protocol = u32(protocol);
  m.version = in.get_text();
  m.pair = in.get_text();
  m.name = in.get_text();
  m.generation = Generation(in.get_varint());
  m.timeout_ns = in.get_varint();
  const ByteSpan configuration = in.get_sized();
  m.configuration.assign(configuration.begin(), configuration.end());
  const u64 disks = in.get_varint();
  if (protocol > ~u32{0} || disks > kMaxDisks) return false;
  for (u64 i = 0; i < disks && in.ok(); ++i) {
    DiskIdentity disk;
    disk.size_bytes = in.get_varint();
    const u8 read_only = in.get<u8>();
    if (read_only > 1) return false;
    disk.read_only = read_only == 1;
    disk.identity = in.get<u64>();
    m.disks.push_back(std::move(disk));
  }
  return true;
}

void write(const Log& m, ByteWriter& out) {
  out.put_varint(m.first);
  out.put_varint(m.sent_ns);
  out.put_varint(m.released.value);
  out.put_bytes(log::encode_entries(m.entries));
}

bool read(Log& m, ByteReader& in) {
  m.first = in.get_varint();
  m.sent_ns = in.get_varint();
  m.released = door::Position(in.get_varint());
  auto entries = log::decode_entries(in.get_bytes(in.left()));
  if (!entries) return false;
  m.entries = std::move(*entries);
  return true;
}

void write(const KeepAlive& m, ByteWriter& out) {
  out.put_varint(m.sent_ns);
  out.put_varint(m.released.value);
}

bool read(KeepAlive& m, ByteReader& in) {
  m.sent_ns = in.get_varint();
  m.released = door::Position(in.get_varint());
  return true;
}

void write(const Dropped& m, ByteWriter& out) { out.put_text(m.sentence); }
bool read(Dropped& m, ByteReader& in) {
  m.sentence = in.get_text();
  return true;
}

void write(const Welcome& m, ByteWriter& out) {
  out.put_text(m.name);
  out.put_varint(m.buffer_bytes);
}

bool read(Welcome& m, ByteReader& in) {
  m.name = in.get_text();
  m.buffer_bytes = in.get_varint();
  return true;
}

void write(const Refused& m, ByteWriter& out) { out.put_text(m.sentence); }
bool read(Refused& m, ByteReader& in) {
  m.sentence = in.get_text();
  return true;
}

void write(const Ack& m, ByteWriter& out) {
  out.put_varint(m.received);
  out.put_varint(m.consumed);
  out.put_varint(m.consumed_bytes);
  out.put_varint(m.behind_ns);
  out.put_varint(m.echo_ns);
}

bool read(Ack& m, ByteReader& in) {
  m.received = in.get_varint();
  m.consumed = in.get_varint();
  m.consumed_bytes = in.get_varint();
  m.behind_ns = in.get_varint();
  m.echo_ns = in.get_varint();
  return m.consumed <= m.received;
}

void write(const Leaving& m, ByteWriter& out) {
  out.put<u8>(m.diverged);
  out.put_text(m.sentence);
}

bool read(Leaving& m, ByteReader& in) {
  const u8 diverged = in.get<u8>();
  m.diverged = diverged == 1;
  m.sentence = in.get_text();
  return diverged <= 1;
}

Kind kind_of(const Message& message) {
  static constexpr Kind kinds[] = {Kind::kHello,   Kind::kLog,     Kind::kKeepAlive, Kind::kDropped,
                                   Kind::kWelcome, Kind::kRefused, Kind::kAck,       Kind::kLeaving};
  static_assert(std::size(kinds) == std::variant_size_v<Message>);
  return kinds[message.index()];
}

template <class M>
std::optional<Message> read_as(ByteReader& in) {
  M m;
  if (!read(m, in) || !in.ok() || !in.at_end()) return std::nullopt;
  return m;
}

std::optional<Message> decode(ByteSpan frame) {
  ByteReader in(frame);
  switch (Kind(in.get<u8>())) {
    case Kind::kHello: return read_as<Hello>(in);
    case Kind::kLog: return read_as<Log>(in);
    case Kind::kKeepAlive: return read_as<KeepAlive>(in);
    case Kind::kDropped: return read_as<Dropped>(in);
    case Kind::kWelcome: return read_as<Welcome>(in);
    case Kind::kRefused: return read_as<Refused>(in);
    case Kind::kAck: return read_as<Ack>(in);
    case Kind::kLeaving: return read_as<Leaving>(in);
  }
  return std::nullopt;
}

}  // namespace

void encode(const Message& message, ByteWriter& out) {
  ByteWriter body;
  std::visit([&](const auto& m) { write(m, body); }, message);
  POLLUX_CHECK(body.size() < kMaxFrameBytes, "a message is smaller than the largest frame");
  out.put<u32>(u32(body.size() + 1));
  out.put<u8>(u8(kind_of(message)));
  out.put_bytes(body.bytes());
}

void MessageReader::feed(ByteSpan bytes) {
  if (taken_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + std::ptrdiff_t(taken_));
    taken_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Message>> MessageReader::next() {
  const ByteSpan rest = ByteSpan(buffer_).subspan(taken_);
  if (rest.size() < sizeof(u32)) return std::nullopt;
  const u32 length = ByteReader(rest).get<u32>();
  if (length == 0 || length > kMaxFrameBytes) {
    return fail(ErrorKind::kFormat, "the other side does not speak the pair's protocol (a frame of " +
                                        std::to_string(length) + " bytes)");
  }
  if (rest.size() < sizeof(u32) + length) return std::nullopt;
  std::optional<Message> message = decode(rest.subspan(sizeof(u32), length));
  if (!message) {
    return fail(ErrorKind::kFormat, "the other side does not speak the pair's protocol (a message that is none)");
  }
  taken_ += sizeof(u32) + length;
  return message;
}

void encode(const Heartbeat& heartbeat, ByteWriter& out) {
  out.put<u8>(kHeartbeatMark);
  out.put<u8>(heartbeat.from_primary);
  out.put<u64>(heartbeat.generation.value);
  out.put<u64>(heartbeat.sent_ns);
  out.put<u64>(heartbeat.echo_ns);
}

std::optional<Heartbeat> decode_heartbeat(ByteSpan bytes) {
  ByteReader in(bytes);
  const bool known = in.get<u8>() == kHeartbeatMark;
  const u8 from_primary = in.get<u8>();
  Heartbeat heartbeat;
  heartbeat.from_primary = from_primary == 1;
  heartbeat.generation = Generation(in.get<u64>());
  heartbeat.sent_ns = in.get<u64>();
  heartbeat.echo_ns = in.get<u64>();
  if (!known || from_primary > 1 || !in.ok() || !in.at_end()) return std::nullopt;
  return heartbeat;
}

}  // namespace pollux::failover
