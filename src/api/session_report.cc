#include "api/session_report.h"

namespace pollux::api {

Report report_of(const session::RunReport& run) {
  using Reason = session::StopReason;
  Report report{.why = session::name(run.reason), .position = run.position.value, .digest = run.digest};
  switch (run.reason) {
    case Reason::kError:
    case Reason::kDivergence:
      report.code = exit_code(run.error.kind);
      report.why = run.error.sentence;
      break;
    case Reason::kReset: report.code = ExitCode::kReset; break;
    case Reason::kPowerOff:
      if (run.exit_code) report.why += " with code " + std::to_string(run.exit_code);
      break;
    default: break;
  }
  if (!run.warning.empty()) report.why += ": " + run.warning;
  report.counters = list(run.counters);
  report.counters.insert(report.counters.end(), run.engine.begin(), run.engine.end());
  return report;
}

void add_counters(Report& report, const host::LinuxWorld& world) {
  for (auto& counter : world.counters()) report.counters.push_back(std::move(counter));
}

}  // namespace pollux::api
