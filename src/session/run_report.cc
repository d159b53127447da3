#include "session/run_report.h"

#include <cinttypes>
#include <cstdio>

namespace pollux::session {
namespace {

// Values of the variant's alternatives, for their names.
template <class Variant, std::size_t... I>
std::array<Variant, sizeof...(I)> one_of_each(std::index_sequence<I...>) {
  return {Variant(std::in_place_index<I>)...};
}

template <class Variant, std::size_t N>
void add(std::vector<std::pair<std::string, u64>>& lines, const std::string& group, const std::array<u64, N>& counts) {
  for (const Variant& value : one_of_each<Variant>(std::make_index_sequence<N>()))
    lines.emplace_back(group + "." + door::name(value), counts[value.index()]);
}

}  // namespace

const char* name(StopReason reason) {
  switch (reason) {
    case StopReason::kPowerOff: return "power-off";
    case StopReason::kReset: return "reset";
    case StopReason::kStopped: return "stopped";
    case StopReason::kError: return "error";
    case StopReason::kDivergence: return "divergence";
    case StopReason::kLogEnd: return "end of log";
    case StopReason::kPositionReached: return "position reached";
  }
  return "";
}

std::string summary(const RunReport& report) {
  char text[128];
  std::snprintf(text, sizeof text, "%s at position %" PRIu64 ", digest %016" PRIx64, name(report.reason),
                report.position.value, report.digest);
  return text;
}

std::vector<std::pair<std::string, u64>> list(const Counters& counters) {
  std::vector<std::pair<std::string, u64>> lines;
  add<door::Input>(lines, "inputs", counters.inputs);
  add<door::Output>(lines, "outputs", counters.outputs);
  lines.emplace_back("instructions", counters.instructions);
  lines.emplace_back("marks", counters.marks);
  lines.emplace_back("skips", counters.skips);
  lines.emplace_back("slices", counters.slices);
  lines.emplace_back("busy_ns", counters.busy_ns);
  lines.emplace_back("idle_ns", counters.idle_ns);
  lines.emplace_back("held_ns", counters.held_ns);
  return lines;
}

}  // namespace pollux::session
