#include "sim/pair_run.h"

#include "machine/counter_machine.h"

namespace pollux::sim {
namespace {

constexpr u64 kDiskBlocks = 64;
constexpr u64 kNsPerPosition = 100;

// Sees which live machine still runs.
class Progress final : public Observer {
 public:
  void live(Side side, failover::Generation, door::Position) override { live_ = side; }
  void ran(Side side, door::Position position) override {
    if (side == live_ && position > last_) {
      last_ = position;
      ++steps_;
    }
  }
  void finished(Side side, door::Position) override {
    if (side == live_) ++steps_;
  }
  Side live_ = Side::kA;
  door::Position last_;
  u64 steps_ = 0;
};

machine::CounterConfig machine_config(const Scenario& scenario, u64 seed) {
  machine::CounterConfig config;
  config.seed = seed;
  config.rate = u64{kNsPerPosition} << 32;
  config.mean_gap = 20'000;
  config.disk_blocks = kDiskBlocks;
  config.max_idle_ns = scenario.idle_ns;
  config.power_off_at = scenario.power_off_ns / kNsPerPosition;
  return config;
}

NetworkWeather network_weather(const Scenario& s) {
  NetworkWeather weather;
  weather.spike = s.message_spike;
  weather.spike_ns = s.message_spike_ns;
  weather.heartbeat_loss = s.heartbeat_loss;
  weather.heartbeat_double = s.heartbeat_double;
  weather.packet_loss = s.packet_loss;
  return weather;
}

StorageWeather storage_weather(const Scenario& s) {
  StorageWeather weather;
  weather.spike = s.disk_spike;
  weather.spike_ns = s.disk_spike_ns;
  return weather;
}

}  // namespace

PairRun::PairRun(Scenario scenario, u64 seed, std::vector<Observer*> observers, failover::Mutations mutations)
    : scenario_(std::move(scenario)), shared_(seed) {
  shared_.observers = std::move(observers);
  for (const Side side : {Side::kA, Side::kB}) {
    const HostClock clock{shared_.random.below(1'000'000'000'000), (double(shared_.random.below(201)) - 100) * 1e-6};
    shared_.hosts[std::size_t(side)] = std::make_unique<Host>(shared_.scheduler, side, clock);
  }
  network_ = std::make_unique<Network>(shared_, network_weather(scenario_));
  storage_ = std::make_unique<SharedStorage>(shared_, storage_weather(scenario_), kDiskBlocks, mutations);
  SideParts parts{.shared = shared_,
                  .network = *network_,
                  .storage = *storage_,
                  .mutations = mutations,
                  .configuration = machine::encode(machine_config(scenario_, shared_.random.next())),
                  .ns_per_position = kNsPerPosition,
                  .buffer_bytes = scenario_.buffer_bytes};
  primary_ = std::make_unique<PrimarySide>(parts);
  parts.configuration.clear();
  parts.ns_per_position = u64(double(kNsPerPosition) / scenario_.backup_speed);
  backup_ = std::make_unique<BackupSide>(parts);
  client_ = std::make_unique<Client>(shared_, *network_, scenario_.client_ns);
}

PairRun::~PairRun() {
  for (auto& host : shared_.hosts) host->kill();
}

Outcome PairRun::run() {
  Progress progress;
  shared_.observers.push_back(&progress);
  for (Observer* observer : shared_.observers) observer->begin(shared_.scheduler);
  for (const Side side : {Side::kA, Side::kB}) boot(side);
  client_->start();
  for (const Fault& fault : scenario_.faults) plan(fault);
  run_until(scenario_.duration_ns);
  calm_ = true;
  network_->heal();
  network_->set_weather({});
  storage_->set_weather({});
  for (const Side side : {Side::kA, Side::kB}) storage_->heal(side);
  shared_.tell(&Observer::fault, std::string_view("calm"));
  run_until(scenario_.duration_ns + kCalmNs / 2);
  const u64 half = progress.steps_;
  run_until(scenario_.duration_ns + kCalmNs);
  if (progress.steps_ > half) outcome_.calm_progress = progress.live_;
  for (const Side side : {Side::kA, Side::kB}) outcome_.living[std::size_t(side)] = shared_.host(side).alive();
  outcome_.disk = storage_->content();
  outcome_.answered = client_->answered();
  outcome_.virtual_ns = shared_.scheduler.now_ns();
  shared_.observers.pop_back();
  return outcome_;
}

void PairRun::run_until(u64 time_ns) {
  while (shared_.scheduler.step(time_ns)) {
  }
}

void PairRun::boot(Side side) {
  shared_.host(side).start([this, side] {
    const Ended how = side == Side::kA ? primary_->run() : backup_->run();
    // The process is gone when its fiber is; that is an event of its own.
    shared_.scheduler.after(0, [this, side, how] { ended(side, how); });
  });
}

void PairRun::ended(Side side, Ended how) {
  if (outcome_.ended[std::size_t(side)]) return;
  outcome_.ended[std::size_t(side)] = how;
  shared_.tell(&Observer::ended, side, how);
  if (how == Ended::kKilled) return;
  shared_.host(side).kill();
  network_->died(side, false);
  storage_->died(side);
}

void PairRun::kill(Side side, bool silently) {
  if (!shared_.host(side).alive() || outcome_.ended[std::size_t(side)]) return;
  outcome_.ended[std::size_t(side)] = Ended::kKilled;
  shared_.tell(&Observer::ended, side, Ended::kKilled);
  shared_.host(side).kill();
  network_->died(side, silently);
  storage_->died(side);
}

void PairRun::pause(Side side, u64 duration_ns) {
  shared_.host(side).pause(duration_ns);
  shared_.tell(&Observer::paused, side, shared_.scheduler.now_ns() + duration_ns);
}

// ---- misfortunes

void PairRun::plan(const Fault& fault) {
  if (!shared_.random.chance(fault.chance)) return;
  const u64 at_ns = shared_.between(fault.from_ns, fault.to_ns);
  const u64 duration_ns = shared_.between(fault.least_ns, fault.longest_ns);
  shared_.scheduler.at(at_ns, [this, fault, duration_ns] {
    if (calm_) return;
    shared_.tell(&Observer::fault, std::string_view(name(fault.kind)));
    begin(fault, duration_ns);
  });
}

void PairRun::begin(const Fault& fault, u64 duration_ns) {
  // What lasts ends with the scenario at the latest.
  const u64 left_ns = scenario_.duration_ns - std::min(scenario_.duration_ns, shared_.scheduler.now_ns());
  duration_ns = std::min(duration_ns == 0 ? left_ns : duration_ns, left_ns);
  const auto afterwards = [&](Scheduler::Event event) { shared_.scheduler.after(duration_ns, std::move(event)); };
  switch (fault.kind) {
    case FaultKind::kKillPrimary: return kill(Side::kA, false);
    case FaultKind::kKillBackup: return kill(Side::kB, false);
    case FaultKind::kPowerPrimary: return kill(Side::kA, true);
    case FaultKind::kPowerBackup: return kill(Side::kB, true);
    case FaultKind::kPausePrimary: return pause(Side::kA, duration_ns);
    case FaultKind::kPauseBackup: return pause(Side::kB, duration_ns);
    case FaultKind::kCutLink: network_->cut(); return afterwards([this] { network_->heal(); });
    case FaultKind::kCutStoragePrimary: storage_->cut(Side::kA); return afterwards([this] { storage_->heal(Side::kA); });
    case FaultKind::kCutStorageBackup: storage_->cut(Side::kB); return afterwards([this] { storage_->heal(Side::kB); });
    case FaultKind::kSlowDisk:
      storage_->set_weather({.latency_ns = 20'000'000, .jitter_ns = 200'000'000});
      return afterwards([this] { storage_->set_weather(storage_weather(scenario_)); });
  }
}

}  // namespace pollux::sim
