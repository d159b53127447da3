#include "log/codec.h"

#include "base/check.h"

namespace pollux::log {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// An integer that must fit the type; otherwise ok becomes false.
template <class T>
T get_small(ByteReader& in, bool& ok) {
  const u64 value = in.get_varint();
  if (value > T(~T{0})) ok = false;
  return T(value);
}

template <class E>
E get_enum(ByteReader& in, E last, bool& ok) {
  const u8 value = in.get<u8>();
  if (value > u8(last)) ok = false;
  return E(value);
}

Bytes get_data(ByteReader& in) {
  const ByteSpan bytes = in.get_sized();
  return Bytes(bytes.begin(), bytes.end());
}

void put_input(const door::Input& input, ByteWriter& out) {
  std::visit(Overloaded{
                 [&](const door::ClockInput& i) {
                   out.put_varint(i.now.value);
                   out.put_varint(i.rate);
                 },
                 [&](const door::PacketInput& i) {
                   out.put_varint(i.nic);
                   out.put_sized(i.frame);
                 },
                 [&](const door::DiskCompletionInput& i) {
                   out.put_varint(i.disk);
                   out.put_varint(i.request);
                   out.put<u8>(u8(i.status));
                   out.put_sized(i.data);
                 },
                 [&](const door::ConsoleInput& i) { out.put_sized(i.bytes); },
                 [&](const door::EntropyInput& i) { out.put_sized(i.bytes); },
                 [&](const door::WallClockInput& i) { out.put_varint(i.unix_ns); },
                 [&](const door::LinkInput& i) {
                   out.put_varint(i.nic);
                   out.put<u8>(i.up);
                 },
                 [&](const door::PowerButtonInput&) {},
                 [&](const door::DeviceInput& i) {
                   out.put<u8>(u8(i.change));
                   out.put_varint(i.index);
                   out.put_varint(i.size_bytes);
                 },
                 [&](const door::StopInput&) {},
             },
             input);
}

Mark get_mark(ByteReader& in) {
  Mark mark;
  mark.digest = in.get<u64>();
  for (u64 count = in.get_varint(); count > 0 && in.ok(); --count) mark.components.push_back(in.get<u16>());
  return mark;
}

// The body after its kind. ok stays true when the values are ones that encode can write.
Body get_body(EntryKind kind, ByteReader& in, bool& ok) {
  switch (kind) {
    case EntryKind::kClock: {
      door::ClockInput i;
      i.now = door::VirtualNs(in.get_varint());
      i.rate = in.get_varint();
      if (i.rate == 0) ok = false;
      return i;
    }
    case EntryKind::kPacket: {
      door::PacketInput i;
      i.nic = get_small<u32>(in, ok);
      i.frame = get_data(in);
      return i;
    }
    case EntryKind::kDiskCompletion: {
      door::DiskCompletionInput i;
      i.disk = get_small<u32>(in, ok);
      i.request = in.get_varint();
      i.status = get_enum(in, door::DiskStatus::kNoSpace, ok);
      i.data = get_data(in);
      return i;
    }
    case EntryKind::kConsole:
      return door::ConsoleInput{get_data(in)};
    case EntryKind::kEntropy:
      return door::EntropyInput{get_data(in)};
    case EntryKind::kWallClock:
      return door::WallClockInput{in.get_varint()};
    case EntryKind::kLink: {
      door::LinkInput i;
      i.nic = get_small<u32>(in, ok);
      const u8 up = in.get<u8>();
      if (up > 1) ok = false;
      i.up = up != 0;
      return i;
    }
    case EntryKind::kPowerButton:
      return door::PowerButtonInput{};
    case EntryKind::kDevice: {
      door::DeviceInput i;
      i.change = get_enum(in, door::DeviceChange::kResizeDisk, ok);
      i.index = get_small<u32>(in, ok);
      i.size_bytes = in.get_varint();
      return i;
    }
    case EntryKind::kStop:
      return door::StopInput{};
    case EntryKind::kMark:
      return get_mark(in);
    case EntryKind::kReached:
      return Reached{};
    case EntryKind::kEnd:
      return End{in.get<u64>()};
  }
  ok = false;
  return Reached{};
}

}  // namespace

EntryKind kind_of(const Body& body) {
  static_assert(std::variant_size_v<door::Input> == u8(EntryKind::kStop), "kinds 1.. follow the order of door::Input");
  if (const auto* input = std::get_if<door::Input>(&body)) return EntryKind(input->index() + 1);
  if (std::holds_alternative<Mark>(body)) return EntryKind::kMark;
  if (std::holds_alternative<Reached>(body)) return EntryKind::kReached;
  return EntryKind::kEnd;
}

const char* name(EntryKind kind) {
  switch (kind) {
    case EntryKind::kClock: return "clock";
    case EntryKind::kPacket: return "packet";
    case EntryKind::kDiskCompletion: return "disk-completion";
    case EntryKind::kConsole: return "console";
    case EntryKind::kEntropy: return "entropy";
    case EntryKind::kWallClock: return "wall-clock";
    case EntryKind::kLink: return "link";
    case EntryKind::kPowerButton: return "power-button";
    case EntryKind::kDevice: return "device";
    case EntryKind::kStop: return "stop";
    case EntryKind::kMark: return "mark";
    case EntryKind::kReached: return "reached";
    case EntryKind::kEnd: return "end";
  }
  return "";
}

const char* name(const Body& body) { return name(kind_of(body)); }

void encode(const Entry& entry, door::Position& previous, ByteWriter& out) {
  POLLUX_CHECK(entry.position >= previous, "positions in a log never decrease");
  out.put<u8>(u8(kind_of(entry.body)));
  out.put_varint(entry.position - previous);
  previous = entry.position;
  std::visit(Overloaded{
                 [&](const door::Input& input) { put_input(input, out); },
                 [&](const Mark& mark) {
                   out.put<u64>(mark.digest);
                   out.put_varint(mark.components.size());
                   for (const u16 component : mark.components) out.put<u16>(component);
                 },
                 [&](const Reached&) {},
                 [&](const End& end) { out.put<u64>(end.digest); },
             },
             entry.body);
}

bool decode(ByteReader& in, door::Position& previous, Entry& entry) {
  const auto kind = EntryKind(in.get<u8>());
  const u64 delta = in.get_varint();
  if (!in.ok() || delta > ~u64{0} - previous.value) return false;
  previous += delta;
  entry.position = previous;
  bool ok = true;
  entry.body = get_body(kind, in, ok);
  return ok && in.ok();
}

Bytes encode_entries(std::span<const Entry> entries) {
  ByteWriter out;
  door::Position previous = entries.empty() ? door::Position{} : entries.front().position;
  out.put_varint(previous.value);
  for (const Entry& entry : entries) encode(entry, previous, out);
  return out.take();
}

std::optional<std::vector<Entry>> decode_entries(ByteSpan bytes) {
  ByteReader in(bytes);
  door::Position previous{in.get_varint()};
  if (!in.ok()) return std::nullopt;
  std::vector<Entry> entries;
  while (!in.at_end()) {
    Entry entry;
    if (!decode(in, previous, entry)) return std::nullopt;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace pollux::log
