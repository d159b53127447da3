#include "failover/driver/primary_journal.h"

#include <algorithm>
#include <chrono>

namespace pollux::failover::driver {
namespace {

constexpr u64 kNsPerMs = 1'000'000;

// Takes the configuration, which is needed once.
PrimarySettings settings(PrimaryOptions& options, Generation generation) {
  PrimarySettings s;
  s.pair = options.machine;
  s.name = options.host;
  s.version = options.version;
  s.generation = generation;
  s.timing = options.timing;
  s.lag = options.lag;
  s.configuration = std::exchange(options.configuration, {});
  s.disks = options.disks;
  return s;
}

}  // namespace

Result<std::unique_ptr<PrimaryJournal>> PrimaryJournal::create(PrimaryOptions options, world::World& world) {
  if (options.configuration.size() > kMaxFrameBytes - (1 << 20)) {
    return fail(ErrorKind::kUsage, "kernel and initrd are too large for a pair: together they must stay below 255 MiB");
  }
  auto arbiter = FileArbiter::open(options.arbiter_dir, options.machine);
  if (!arbiter) return pass(arbiter);
  auto fence = FileFence::open(**arbiter);
  if (!fence) return pass(fence);
  std::string claimant = make_claimant();
  // The connection first: a backup that refuses should cost no generation.
  auto address = resolve(options.backup);
  if (!address) return pass(address);
  auto tls = TlsContext::create(options.security, TlsContext::Side::kClient);
  if (!tls) return pass(tls);
  auto socket = connect_tcp(*address, options.backup, options.connect_timeout_ms);
  if (!socket) return pass(socket);
  auto channel = Channel::open(std::move(*socket), *tls, options.connect_timeout_ms);
  if (!channel) return pass(channel);
  auto heartbeats = HeartbeatSocket::to(*address);
  if (!heartbeats) return pass(heartbeats);
  auto generation = (*arbiter)->begin(claimant);
  if (!generation) return pass(generation);
  if ((*fence)->raise(*generation) != FenceAnswer::kMine) {
    return fail(ErrorKind::kEnvironment, "the fence of machine '" + options.machine + "' in " + options.arbiter_dir +
                                             " is held by another process, or cannot be written");
  }
  std::unique_ptr<PrimaryJournal> journal(new PrimaryJournal(std::move(options), world, std::move(*arbiter),
                                                             std::move(*fence), *generation, std::move(claimant)));
  journal->link_ =
      std::make_unique<Link>(std::move(*channel), std::move(*heartbeats), journal->lock_, journal->events(),
                             int(std::max<u64>(1, journal->options_.timing.heartbeat_ns() / kNsPerMs)));
  if (auto welcomed = journal->connect(); !welcomed) return pass(welcomed);
  return journal;
}

PrimaryJournal::PrimaryJournal(PrimaryOptions options, world::World& world, std::unique_ptr<FileArbiter> arbiter,
                               std::unique_ptr<FileFence> fence, Generation generation, std::string claimant)
    : options_(std::move(options)),
      inner_(world),
      arbiter_(std::move(arbiter)),
      fence_(std::move(fence)),
      claimant_(std::move(claimant)),
      fenced_(world, *fence_, generation,
              [this] {
                fenced_off_ = true;
                inner_.notify();
              }),
      primary_(settings(options_, generation), world.now_ns()) {}

PrimaryJournal::~PrimaryJournal() {
  fenced_.shut();
  worker_.stop();
  if (link_) link_->stop();
}

// Says hello and waits until the backup is there or refuses; the decisions know how long.
Result<void> PrimaryJournal::connect() {
  {
    std::lock_guard guard(lock_);
    perform();
  }
  link_->start();
  std::unique_lock guard(lock_);
  changed_.wait(guard, [this] { return halted_ || primary_.state() != Primary::State::kOpening; });
  return alive();
}

Link::Events PrimaryJournal::events() {
  return {.message =
              [this](const Message& message) {
                primary_.received(message, now());
                perform();
              },
          .closed =
              [this](const std::string& why) {
                primary_.channel_closed(why, now());
                perform();
              },
          .heartbeat =
              [this](const Heartbeat& heartbeat) {
                primary_.heard(heartbeat, now());
                perform();
              },
          .tick =
              [this] {
                if (fenced_off_) primary_.fence_answered(primary_.generation(), FenceAnswer::kFenced, now());
                primary_.tick(now());
                perform();
              },
          .beat = [this] { return primary_.heartbeat(now()); }};
}

session::LiveOptions PrimaryJournal::tune(session::LiveOptions options) const {
  constexpr u64 kPollNs = 200'000;  // between slices the backup learns how far it may go
  options.max_idle_wait_ns = std::min(options.max_idle_wait_ns, options_.timing.timeout_ns / 3);
  options.slice_ns = std::min(options.slice_ns, kPollNs);
  return options;
}

// ---- from the session

Result<void> PrimaryJournal::append(const log::Entry& entry) {
  std::lock_guard guard(lock_);
  if (auto r = alive(); !r) return r;
  primary_.appended(entry, now());
  perform();
  return alive();
}

Result<void> PrimaryJournal::emit(door::OutputAt output) {
  std::lock_guard guard(lock_);
  if (auto r = alive(); !r) return r;
  primary_.made(std::move(output), now());
  perform();
  return alive();
}

Result<bool> PrimaryJournal::poll(door::Position position) {
  std::unique_lock guard(lock_);
  if (auto r = alive(); !r) return pass(r);
  primary_.progressed(position, now());
  perform();
  if (const u64 rest_ns = primary_.pause_ns(now()); rest_ns > 0) {
    changed_.wait_for(guard, std::chrono::nanoseconds(rest_ns), [this] { return halted_.has_value(); });
  }
  if (auto r = alive(); !r) return pass(r);
  held_ = primary_.holds_machine();
  return held_;
}

Result<void> PrimaryJournal::close(door::Position position, u64 digest) {
  {
    std::lock_guard guard(lock_);
    if (auto r = alive(); !r) return r;
    primary_.closing(position, digest, now());
    perform();
  }
  // Until the backup knows, or the arbiter says that this side may end alone; and until the disks are quiet.
  std::vector<door::Input> ignored;
  while (true) {
    {
      std::lock_guard guard(lock_);
      if (auto r = alive(); !r) return r;
      if (stopped_ && fenced_.waiting() == 0 && fenced_.writes_in_flight() == 0) return {};
    }
    fenced_.wait(now() + 10 * kNsPerMs, ignored);
    ignored.clear();
  }
}

// ---- obligations

Result<void> PrimaryJournal::alive() const {
  if (halted_) return std::unexpected(*halted_);
  return {};
}

void PrimaryJournal::perform() {
  Obligations out = primary_.take();
  for (const Event& event : out.events) {
    lost_arbitration_ |= event.kind == EventKind::kArbiterLost;
    if (options_.on_event) options_.on_event(event);
  }
  for (const Message& message : out.send) link_->send(message);
  if (out.halt) {
    halted_ = out.halt;
    fenced_.shut();
  }
  if (!out.release.empty()) fenced_.set_generation(primary_.generation());
  for (const door::OutputAt& output : out.release) fenced_.perform(output.output);
  channel_bytes_ = link_->bytes_sent();
  if (out.close_channel) link_->close_channel();
  obey_storage(out);
  stopped_ |= out.stopped;
  const bool freed = held_ && !primary_.holds_machine();
  if (out.stopped || out.halt || freed) inner_.notify();
  if (freed) held_ = false;
  if (out.halt || !out.events.empty()) changed_.notify_all();
}

void PrimaryJournal::obey_storage(const Obligations& out) {
  if (out.ask_arbiter) {
    worker_.ask([this, generation = *out.ask_arbiter] {
      const ArbiterAnswer answer = arbiter_->claim(generation, claimant_);
      std::lock_guard guard(lock_);
      primary_.arbiter_answered(generation, answer, now());
      perform();
    });
  }
  if (out.raise_fence) {
    worker_.ask([this, generation = *out.raise_fence] {
      const FenceAnswer answer = fence_->raise(generation);
      std::lock_guard guard(lock_);
      primary_.fence_answered(generation, answer, now());
      perform();
    });
  }
}

// ---- for the report

bool PrimaryJournal::lost_arbitration() const {
  std::lock_guard guard(lock_);
  return lost_arbitration_;
}

Primary::State PrimaryJournal::state() const {
  std::lock_guard guard(lock_);
  return primary_.state();
}

std::vector<std::pair<std::string, u64>> PrimaryJournal::counters() const {
  std::lock_guard guard(lock_);
  const Primary::Counters c = primary_.counters(inner_.now_ns());
  return {{"failover.generation", primary_.generation().value},
          {"failover.entries", c.entries},
          {"failover.channel_bytes", channel_bytes_},
          {"failover.outputs_held", c.outputs_held},
          {"failover.held_now", c.held_now},
          {"failover.lag_ns", c.lag_ns},
          {"failover.stalls", c.stalls},
          {"failover.slowed", c.slowed},
          {"failover.speed_percent", u64(c.speed * 100)}};
}

}  // namespace pollux::failover::driver
