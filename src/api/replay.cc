// `pollux replay`: a log again, bit for bit.

#include <cstdio>

#include "api/commands.h"
#include "api/engine.h"
#include "api/log_file_reader.h"
#include "api/session_report.h"
#include "host/heap.h"
#include "session/log_source.h"
#include "session/replay_session.h"

namespace pollux::api {

Result<Report> replay(const ReplayOptions& options) {
  auto pieces = read_pieces(options.log);
  if (!pieces) return pass(pieces);
  session::LogSource source(std::move(*pieces));
  if (auto opened = source.open(); !opened) return unreadable(options.log, opened.error());
  auto machine = machine_factory(options.engine)->make(source.header().configuration);
  if (!machine) return pass(machine);
  session::ReplayOptions replay_options;
  if (options.until) replay_options.until = door::Position(*options.until);
  if (options.show_console) {
    replay_options.on_output = [](const door::OutputAt& made) {
      if (const auto* console = std::get_if<door::ConsoleOutput>(&made.output)) {
        std::fwrite(console->bytes.data(), 1, console->bytes.size(), stdout);
      }
    };
  }
  host::settle_heap();
  session::ReplaySession session(**machine, source, replay_options);
  return report_of(session.run());
}

}  // namespace pollux::api
