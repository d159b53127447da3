// `pollux backup`: the other half of a pair.

#include "api/commands.h"
#include "api/engine.h"
#include "api/machine_setup.h"
#include "api/protect.h"
#include "api/session_report.h"
#include "failover/driver/backup_session.h"
#include "host/heap.h"
#include "host/sandbox.h"

namespace pollux::api {

namespace {

// How long a promotion waits for a dead primary's last writes to land and its locks to go.
constexpr u64 kTakeOverMs = 2000;

// The cards' addresses, if this host has as many cards as the machine.
Result<std::vector<failover::MacAddress>> cards(ByteSpan configuration, std::size_t here) {
  auto config = machine::computer::decode(configuration);
  if (!config) return pass(config);
  if (config->nics.size() != here) {
    return fail(ErrorKind::kUsage, "the machine has " + std::to_string(config->nics.size()) +
                                       " network cards and this backup was given " + std::to_string(here) +
                                       "; give --net as often here as there");
  }
  std::vector<failover::MacAddress> addresses;
  for (const auto& nic : config->nics) addresses.push_back(nic.mac);
  return addresses;
}

}  // namespace

Result<Report> backup(const BackupOptions& options) {
  auto security = pair_security(options.pair);
  if (!security) return pass(security);
  auto disks = open_disks(options.disks);
  if (!disks) return pass(disks);
  auto world = host::LinuxWorld::create({.console = options.console,
                                         .disks = *disks,
                                         .nics = nic_options(options.nets),
                                         .start = host::Start::kQuiet,
                                         .write_policy = host::WritePolicy::kWriteThrough});
  if (!world) return pass(world);
  const auto factory = machine_factory(options.engine);
  auto session = failover::driver::BackupSession::create(
      {.host = host_name(),
       .version = POLLUX_VERSION,
       .listen = options.pair.peer,
       .security = std::move(*security),
       .arbiter_dir = options.pair.arbiter_dir,
       .disks = identities(*disks),
       .live = {},
       .factory = factory.get(),
       .cards = [count = options.nets.size()](ByteSpan configuration) { return cards(configuration, count); },
       .take_over = [&world] { return (*world)->go_live(kTakeOverMs, host::Claim::kTakeOver); },
       .on_event = print_event},
      **world);
  if (!session) return pass(session);
  if (options.sandbox) {
    if (auto confined = host::confine(); !confined) return pass(confined);
  }
  host::settle_heap();
  Report report = report_of((*session)->run());
  if ((*session)->lost_arbitration()) report.code = ExitCode::kLostArbitration;
  report.counters.push_back({"failover.promoted", u64{(*session)->promoted()}});
  add_counters(report, **world);
  for (auto& counter : (*session)->counters()) report.counters.push_back(std::move(counter));
  return report;
}

}  // namespace pollux::api
