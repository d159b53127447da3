// `pollux run`: a machine on this host, plain or recorded. A protected one is in protect.cc.

#include "api/commands.h"
#include "api/engine.h"
#include "api/machine_setup.h"
#include "api/protect.h"
#include "api/session_report.h"
#include "host/heap.h"
#include "host/log_file.h"
#include "host/sandbox.h"
#include "log/format.h"
#include "session/live_session.h"
#include "session/log_journal.h"
#include "session/pass_through.h"

namespace pollux::api {

namespace {

// The log's header has a few words of its own beside the configuration.
constexpr std::size_t kMostConfigurationBytes = log::kMaxHeaderBodyBytes - 4096;

session::LiveOptions live_options(const RunOptions& options) {
  session::LiveOptions live;
  live.clock = options.machine.clock == ClockKind::kVirtual ? session::ClockMode::kVirtual : session::ClockMode::kHost;
  live.mark_interval_ns = u64{options.mark_ms} * 1'000'000;
  return live;
}

Report drive(machine::Machine& machine, host::LinuxWorld& world, session::Journal& journal,
             const session::LiveOptions& live) {
  session::LiveSession session(machine, world, journal, live);
  session::RunReport run;
  if (auto on = session.power_on(); !on) {
    run.error = on.error();
  } else {
    run = session.run();
  }
  Report report = report_of(run);
  add_counters(report, world);
  return report;
}

}  // namespace

Result<Report> run(const RunOptions& options) {
  if (!options.pair.peer.empty()) return run_primary(options);
  auto prepared = prepare(options.machine);
  if (!prepared) return pass(prepared);
  Bytes configuration = encode(std::exchange(prepared->config, {}));
  auto machine = make_machine(options, configuration);
  if (!machine) return pass(machine);

  std::unique_ptr<host::LogFile> log;
  if (!options.record.empty()) {
    if (configuration.size() > kMostConfigurationBytes) {
      return fail(ErrorKind::kUsage, "kernel and initial RAM disk are too large to be recorded: together they must stay "
                                     "below 2 GiB");
    }
    auto created = host::LogFile::create(options.record);
    if (!created) return pass(created);
    log = std::move(*created);
  }
  auto world = host::LinuxWorld::create({.console = options.console, .disks = prepared->disks, .nics = prepared->nics});
  if (!world) return pass(world);
  if (options.sandbox) {
    if (auto confined = host::confine(); !confined) return pass(confined);
  }
  if (!log) {
    configuration = Bytes();
    host::settle_heap();
    session::PassThrough journal(**world);
    return drive(**machine, **world, journal, live_options(options));
  }
  session::LogJournal journal(**world, *log, {.pollux_version = POLLUX_VERSION, .configuration = std::move(configuration)});
  if (auto opened = journal.open(); !opened) return pass(opened);
  host::settle_heap();
  Report report = drive(**machine, **world, journal, live_options(options));
  report.counters.push_back({"log.bytes", journal.log_bytes()});
  return report;
}

}  // namespace pollux::api
