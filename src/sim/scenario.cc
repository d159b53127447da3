#include "sim/scenario.h"

#include <charconv>
#include <tuple>

namespace pollux::sim {
namespace {

constexpr u64 kMs = 1'000'000;

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  line = line.substr(0, line.find('#'));
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == line.npos) return words;
    const std::size_t end = std::min(line.size(), line.find_first_of(" \t\r", begin));
    words.emplace_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

constexpr std::pair<std::string_view, FaultKind> kFaults[] = {
    {"kill primary", FaultKind::kKillPrimary},
    {"kill backup", FaultKind::kKillBackup},
    {"power primary", FaultKind::kPowerPrimary},
    {"power backup", FaultKind::kPowerBackup},
    {"pause primary", FaultKind::kPausePrimary},
    {"pause backup", FaultKind::kPauseBackup},
    {"cut link", FaultKind::kCutLink},
    {"cut storage primary", FaultKind::kCutStoragePrimary},
    {"cut storage backup", FaultKind::kCutStorageBackup},
    {"slow disk", FaultKind::kSlowDisk},
};

// Takes words from the front; a word that does not fit makes ok false.
class Line {
 public:
  explicit Line(std::vector<std::string> words) : words_(std::move(words)) {}
  bool take(std::string_view phrase) {
    const std::vector<std::string> wanted = words_of(phrase);
    if (words_.size() - at_ < wanted.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (words_[at_ + i] != wanted[i]) return false;
    at_ += wanted.size();
    return true;
  }
  double number() {
    double value = 0;
    if (at_ == words_.size() || !parse(words_[at_++], value)) ok_ = false;
    return value;
  }
  u64 ms() {
    const double value = number();
    ok_ &= take("ms") && value >= 0;
    return u64(value * double(kMs));
  }
  // "300..1500 ms" or "300 ms"
  std::pair<u64, u64> range_ms() {
    double low = 0, high = 0;
    if (at_ == words_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view word = words_[at_++];
    const std::size_t dots = word.find("..");
    ok_ &= parse(word.substr(0, dots), low);
    high = low;
    if (dots != word.npos) ok_ &= parse(word.substr(dots + 2), high);
    ok_ &= take("ms") && low >= 0 && high >= low;
    return {u64(low * double(kMs)), u64(high * double(kMs))};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return at_ == words_.size(); }

 private:
  static bool parse(std::string_view text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  }
  std::vector<std::string> words_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

bool read_fault(Line& line, Scenario& scenario) {
  Fault fault;
  if (line.take("chance")) fault.chance = line.number();
  for (const auto& [phrase, kind] : kFaults) {
    if (!line.take(phrase)) continue;
    fault.kind = kind;
    if (!line.take("at")) return false;
    std::tie(fault.from_ns, fault.to_ns) = line.range_ms();
    if (line.take("for")) std::tie(fault.least_ns, fault.longest_ns) = line.range_ms();
    scenario.faults.push_back(fault);
    return true;
  }
  return false;
}

void read_late(Line& line, double& share, u64& by_ns) {
  share = line.number();
  if (line.take("up to")) by_ns = line.ms();
}

bool read_setting(Line& line, Scenario& s) {
  if (line.take("seconds")) return s.duration_ns = u64(line.number() * 1e9), true;
  if (line.take("client")) return s.client_ns = line.ms(), true;
  if (line.take("idle")) return s.idle_ns = line.ms(), true;
  if (line.take("power off at")) return s.power_off_ns = line.ms(), true;
  if (line.take("backup speed")) return s.backup_speed = line.number(), true;
  if (line.take("buffer")) return s.buffer_bytes = u64(line.number() * 1024), line.take("KiB");
  if (line.take("heartbeats lost")) return s.heartbeat_loss = line.number(), true;
  if (line.take("heartbeats doubled")) return s.heartbeat_double = line.number(), true;
  if (line.take("packets lost")) return s.packet_loss = line.number(), true;
  if (line.take("messages late")) return read_late(line, s.message_spike, s.message_spike_ns), true;
  if (line.take("disk late")) return read_late(line, s.disk_spike, s.disk_spike_ns), true;
  return read_fault(line, s);
}

}  // namespace

const char* name(FaultKind kind) {
  for (const auto& [phrase, known] : kFaults)
    if (known == kind) return phrase.data();
  return "?";
}

Result<Scenario> parse_scenario(std::string name, std::string_view text) {
  Scenario scenario;
  scenario.name = std::move(name);
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.size(), text.find('\n'));
    Line line(words_of(text.substr(0, end)));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.at_end()) continue;
    if (!read_setting(line, scenario) || !line.ok() || !line.at_end()) {
      return fail(ErrorKind::kFormat, scenario.name + ", line " + std::to_string(number) + ": not a line of a scenario");
    }
  }
  return scenario;
}

}  // namespace pollux::sim
