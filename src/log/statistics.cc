#include "log/statistics.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace pollux::log {
namespace {

template <class... Value>
std::string text(const char* format, Value... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

// "60 bytes: ff ff ff ..."
std::string contents(ByteSpan bytes) {
  constexpr std::size_t kShown = 16;
  std::string out = std::to_string(bytes.size()) + " bytes";
  if (!bytes.empty()) out += ":";
  for (const std::byte byte : bytes.first(std::min(bytes.size(), kShown))) out += text(" %02x", unsigned(byte));
  if (bytes.size() > kShown) out += " ...";
  return out;
}

std::string detail(const door::ClockInput& i) {
  return text("time %" PRIu64 ".%09" PRIu64 " s, %.3f ns an instruction", i.now.value / 1'000'000'000,
              i.now.value % 1'000'000'000, double(i.rate) / 4294967296.0);
}
std::string detail(const door::PacketInput& i) { return text("nic %u, ", i.nic) + contents(i.frame); }
std::string detail(const door::DiskCompletionInput& i) {
  static constexpr const char* kStatus[] = {"ok", "I/O error", "unsupported", "no space"};
  return text("disk %u, request %" PRIu64 ", %s, ", i.disk, i.request, kStatus[u8(i.status)]) + contents(i.data);
}
std::string detail(const door::ConsoleInput& i) { return contents(i.bytes); }
// Not shown: a guest may have made keys of it.
std::string detail(const door::EntropyInput& i) { return std::to_string(i.bytes.size()) + " bytes"; }
std::string detail(const door::WallClockInput& i) { return text("%" PRIu64 " ns since 1970 UTC", i.unix_ns); }
std::string detail(const door::LinkInput& i) { return text("nic %u, %s", i.nic, i.up ? "up" : "down"); }
std::string detail(const door::PowerButtonInput&) { return ""; }
std::string detail(const door::DeviceInput& i) {
  static constexpr const char* kChange[] = {"attach disk", "detach disk", "resize disk"};
  return text("%s %u, %" PRIu64 " bytes", kChange[u8(i.change)], i.index, i.size_bytes);
}
std::string detail(const door::StopInput&) { return ""; }
std::string detail(const door::Input& input) {
  return std::visit([](const auto& i) { return detail(i); }, input);
}
std::string detail(const Mark& mark) {
  std::string out = text("digest %016" PRIx64, mark.digest);
  if (!mark.components.empty()) out += ", components";
  for (const u16 component : mark.components) out += text(" %04x", unsigned(component));
  return out;
}
std::string detail(const Reached&) { return ""; }
std::string detail(const End& end) { return text("digest %016" PRIx64, end.digest); }

}  // namespace

void Statistics::add(const Entry& entry, u64 bytes) {
  KindStatistics& kind = by_kind_[kind_of(entry.body)];
  ++kind.count;
  kind.bytes += bytes;
  last_position_ = entry.position;
  if (const auto* input = std::get_if<door::Input>(&entry.body))
    if (const auto* clock = std::get_if<door::ClockInput>(input)) last_time_ = clock->now;
}

KindStatistics Statistics::total() const {
  KindStatistics total;
  for (const auto& [kind, statistics] : by_kind_) {
    total.count += statistics.count;
    total.bytes += statistics.bytes;
  }
  return total;
}

std::string Statistics::table() const {
  std::string out = text("%-16s %12s %14s\n", "kind", "count", "bytes");
  const auto line = [&](const char* name, const KindStatistics& s) {
    out += text("%-16s %12" PRIu64 " %14" PRIu64 "\n", name, s.count, s.bytes);
  };
  for (const auto& [kind, statistics] : by_kind_) line(name(kind), statistics);
  line("total", total());
  return out;
}

std::string describe(const Entry& entry) {
  std::string line = text("%14" PRIu64 "  %-15s", entry.position.value, name(entry.body));
  const std::string more = std::visit([](const auto& body) { return detail(body); }, entry.body);
  return more.empty() ? line : line + "  " + more;
}

}  // namespace pollux::log
