// `pollux log`: what is in a log.

#include <ostream>

#include <nlohmann/json.hpp>

#include "api/commands.h"
#include "api/log_file_reader.h"
#include "log/log_reader.h"
#include "log/statistics.h"
#include "session/log_source.h"

namespace pollux::api {

Result<Report> describe_log(const std::string& path, bool dump, bool json, std::ostream& out) {
  auto pieces = read_pieces(path);
  if (!pieces) return pass(pieces);
  session::LogSource source(std::move(*pieces));
  if (auto opened = source.open(); !opened) return unreadable(path, opened.error());
  log::Statistics statistics;
  std::string warning;
  for (;;) {
    auto next = source.next();
    if (!next) return pass(next);
    if (const auto* end = std::get_if<session::SourceEnd>(&*next)) {
      warning = end->warning;
      break;
    }
    const auto& entry = std::get<log::Entry>(*next);
    statistics.add(entry, source.reader().entry_bytes());
    if (dump) out << log::describe(entry) << '\n';
  }
  const u64 header_bytes = source.header().configuration.size();
  Report report{.why = warning.empty() ? "complete" : warning, .position = statistics.last_position().value};
  report.counters = {{"configuration_bytes", header_bytes},
                     {"virtual_ns", statistics.last_time().value},
                     {"entries", statistics.total().count},
                     {"bytes", statistics.total().bytes}};
  for (const auto& [kind, of] : statistics.by_kind()) {
    report.counters.push_back({std::string("kinds.") + log::name(kind) + ".count", of.count});
    report.counters.push_back({std::string("kinds.") + log::name(kind) + ".bytes", of.bytes});
  }
  if (json) {
    out << report.json() << '\n';
  } else {
    out << statistics.table() << "configuration (kernel and initrd included): " << header_bytes << " bytes\n";
    if (!warning.empty()) out << warning << '\n';
  }
  return report;
}

}  // namespace pollux::api
