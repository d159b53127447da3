#include "api/protect.h"

#include <unistd.h>

#include <cstdio>

#include "api/engine.h"
#include "api/machine_setup.h"
#include "api/session_report.h"
#include "failover/driver/primary_journal.h"
#include "host/heap.h"
#include "host/sandbox.h"
#include "session/live_session.h"

namespace pollux::api {

Result<failover::driver::Security> pair_security(const PairOptions& options) {
  if (options.arbiter_dir.empty()) {
    return fail(ErrorKind::kUsage, "a pair needs --arbiter DIR, a folder on storage that both hosts share");
  }
  const int parts = !options.certificate.empty() + !options.certificate_key.empty() + !options.authority.empty();
  const int ways = options.plain_text + !options.key_file.empty() + (parts > 0);
  if (ways == 0) {
    return fail(ErrorKind::kUsage, "a pair needs --key FILE (make one with: pollux key FILE), or certificates with --cert, "
                                   "--cert-key and --ca, or --plain-text by name");
  }
  if (ways > 1) {
    return fail(ErrorKind::kUsage, "--key, certificates (--cert, --cert-key, --ca) and --plain-text exclude each other: "
                                   "choose one for both sides");
  }
  if (options.plain_text) return failover::driver::Security::plain_text();
  if (parts == 3) {
    return failover::driver::Security{.kind = failover::driver::Security::Kind::kCertificates,
                                      .key = {},
                                      .shown = {},
                                      .certificate = options.certificate,
                                      .private_key = options.certificate_key,
                                      .authority = options.authority};
  }
  if (parts > 0) {
    return fail(ErrorKind::kUsage, "certificates need all of --cert FILE, --cert-key FILE and --ca FILE (make them with: "
                                   "pollux certificate FOLDER HOST)");
  }
  return failover::driver::read_key(options.key_file);
}

std::vector<failover::DiskIdentity> identities(const std::vector<std::shared_ptr<host::DiskFile>>& disks) {
  std::vector<failover::DiskIdentity> list;
  for (const auto& disk : disks) list.push_back({disk->size_bytes(), disk->read_only(), disk->identity()});
  return list;
}

void print_event(const failover::Event& event) { std::fprintf(stderr, "pollux: %s\n", event.sentence.c_str()); }

namespace {
// Why a primary halts is also its last word.
void print_unless_last(const failover::Event& event) {
  if (event.kind != failover::EventKind::kHalted) print_event(event);
}
}  // namespace

std::string host_name() {
  char name[256] = "this host";
  ::gethostname(name, sizeof name - 1);
  return name;
}

Result<Report> run_primary(const RunOptions& options) {
  if (!options.record.empty()) {
    return fail(ErrorKind::kUsage, "--record and --backup do not go together: a pair's log goes to the backup");
  }
  if (options.machine.clock == ClockKind::kVirtual) {
    return fail(ErrorKind::kUsage, "--clock virtual and --backup do not go together: a pair lives in the host's time");
  }
  auto security = pair_security(options.pair);
  if (!security) return pass(security);
  auto prepared = prepare(options.machine);
  if (!prepared) return pass(prepared);
  Bytes configuration = encode(std::exchange(prepared->config, {}));
  auto machine = make_machine(options, configuration);
  if (!machine) return pass(machine);
  auto world = host::LinuxWorld::create({.console = options.console,
                                         .disks = prepared->disks,
                                         .nics = prepared->nics,
                                         .write_policy = host::WritePolicy::kWriteThrough});
  if (!world) return pass(world);
  auto journal = failover::driver::PrimaryJournal::create(
      {.machine = options.machine.name,
       .host = host_name(),
       .version = POLLUX_VERSION,
       .backup = options.pair.peer,
       .security = std::move(*security),
       .arbiter_dir = options.pair.arbiter_dir,
       .timing = {.timeout_ns = u64{options.pair.timeout_ms} * 1'000'000},
       .configuration = std::move(configuration),
       .disks = identities(prepared->disks),
       .on_event = print_unless_last},
      **world);
  if (!journal) return pass(journal);
  if (options.sandbox) {
    if (auto confined = host::confine(); !confined) return pass(confined);
  }
  host::settle_heap();
  session::LiveOptions live{.mark_interval_ns = u64{options.mark_ms} * 1'000'000};
  session::LiveSession session(**machine, (*journal)->world(), **journal, (*journal)->tune(live));
  session::RunReport run;
  if (auto on = session.power_on(); !on) {
    run.error = on.error();
  } else {
    run = session.run();
  }
  Report report = report_of(run);
  if ((*journal)->lost_arbitration()) report.code = ExitCode::kLostArbitration;
  add_counters(report, **world);
  for (auto& counter : (*journal)->counters()) report.counters.push_back(std::move(counter));
  return report;
}

}  // namespace pollux::api
