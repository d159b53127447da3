#include "failover/driver/backup_session.h"

#include <poll.h>

#include <algorithm>

namespace pollux::failover::driver {
namespace {

constexpr u64 kNsPerMs = 1'000'000;
constexpr u64 kPatienceNs = 50 * kNsPerMs;  // between two looks around while waiting; news wakes earlier
constexpr u64 kSlice = 500'000;             // instructions between two looks at the operator
constexpr int kHandshakeMs = 5000;
constexpr int kPortTries = 20;
constexpr int kFirstBeatMs = 30;  // until the primary names the timeout

session::RunReport failed(Error error, const session::RunReport& so_far = {}) {
  session::RunReport report = so_far;
  report.reason = error.kind == ErrorKind::kDivergence ? session::StopReason::kDivergence : session::StopReason::kError;
  report.error = std::move(error);
  return report;
}

}  // namespace

Result<std::unique_ptr<BackupSession>> BackupSession::create(BackupOptions options, world::World& world) {
  // Only to say early what is wrong; the machine's name comes with the primary.
  if (auto arbiter = FileArbiter::open(options.arbiter_dir, "?"); !arbiter) return pass(arbiter);
  auto address = resolve(options.listen);
  if (!address) return pass(address);
  auto tls = TlsContext::create(options.security, TlsContext::Side::kServer);
  if (!tls) return pass(tls);
  std::unique_ptr<BackupSession> session(
      new BackupSession(std::move(options), world, *address, std::move(*tls)));
  if (auto listening = session->listen(*address); !listening) return pass(listening);
  return session;
}

// Heartbeats come to the port that the primary was told, so it must be free for datagrams too: better to find out now
// than when a primary has come. Where any port will do, another one is tried.
Result<void> BackupSession::listen(const Address& address) {
  for (int tries = kPortTries;; --tries) {
    auto listener = listen_tcp(address, options_.listen);
    if (!listener) return pass(listener);
    const u16 port = port_of(listener->get());
    address_.length = sizeof address_.storage;
    ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address_.storage), &address_.length);
    const auto heartbeats = HeartbeatSocket::at(address_);
    if (!heartbeats && tries > 0 && options_.listen.ends_with(":0")) continue;
    if (!heartbeats) {
      return fail(ErrorKind::kEnvironment, "UDP port " + std::to_string(port) +
                                               ", to which heartbeats come, is in use by "
                                               "another process: stop it or listen on another port");
    }
    listener_ = std::move(*listener);
    port_ = port;
    return {};
  }
}

BackupSession::BackupSession(BackupOptions options, world::World& world, Address address, TlsContext tls)
    : options_(std::move(options)), inner_(world), address_(address), tls_(std::move(tls)), claimant_(make_claimant()) {}

BackupSession::~BackupSession() {
  if (worker_) worker_->stop();
  end_link();
}

void BackupSession::end_link() {
  if (link_) link_->stop();
  link_.reset();
}

session::RunReport BackupSession::run() {
  while (true) {
    if (!await_primary()) {
      session::RunReport report;
      report.reason = session::StopReason::kStopped;
      return report;
    }
    auto machine = make_machine();
    if (machine) return follow(**machine);
    {
      std::lock_guard guard(lock_);
      backup_->failed(machine.error(), now());
      perform();
    }
    end_link();  // and wait for another one
  }
}

// ---- waiting for a primary

bool BackupSession::operator_stops(u64 deadline_ns) {
  std::vector<door::Input> arrived;
  inner_.wait(deadline_ns, arrived);
  return std::ranges::any_of(arrived, [](const auto& input) { return std::holds_alternative<door::StopInput>(input); });
}

bool BackupSession::await_primary() {
  while (true) {
    if (operator_stops(link_ ? now() + kPatienceNs : 0)) return false;
    if (!link_) {
      pollfd waiting{listener_.get(), POLLIN, 0};
      ::poll(&waiting, 1, 20);
      if (waiting.revents) take_connection();
      continue;
    }
    bool given_up;
    {
      std::lock_guard guard(lock_);
      if (!halted_ && backup_->accepted()) return true;
      given_up = halted_.has_value();
    }
    if (given_up) end_link();
  }
}

void BackupSession::take_connection() {
  Address from;
  auto socket = accept_tcp(listener_.get(), from);
  if (!socket || !*socket) return;
  auto channel = Channel::open(std::move(*socket), tls_, kHandshakeMs);
  if (!channel) {
    tell(EventKind::kHalted, "a connection from " + text(from) + " was turned away: " + channel.error().sentence);
    return;
  }
  auto heartbeats = HeartbeatSocket::at(address_);
  if (!heartbeats) return tell(EventKind::kHalted, heartbeats.error().sentence);
  BackupSettings settings;
  settings.name = options_.host;
  settings.version = options_.version;
  settings.disks = options_.disks;
  settings.buffer_bytes = options_.buffer_bytes;
  std::lock_guard guard(lock_);
  halted_.reset();
  backup_ = std::make_unique<Backup>(std::move(settings), now());
  link_ = std::make_unique<Link>(std::move(*channel), std::move(*heartbeats), lock_, events(), kFirstBeatMs);
  link_->start();
}

// What a hello was promised: a place at the arbiter, a machine, its cards.
Result<std::unique_ptr<machine::Machine>> BackupSession::make_machine() {
  Hello hello;
  Bytes configuration;
  {
    std::lock_guard guard(lock_);
    configuration = backup_->take_configuration();
    hello = backup_->hello();
  }
  auto arbiter = FileArbiter::open(options_.arbiter_dir, hello.pair);
  if (!arbiter) return pass(arbiter);
  if (auto joined = (*arbiter)->join(); !joined) return pass(joined);
  const std::string winner = (*arbiter)->winner(hello.generation);
  if (winner.empty()) {
    return fail(ErrorKind::kUsage, "the backup's arbiter directory " + options_.arbiter_dir + " knows nothing of the primary's generation " +
                                       std::to_string(hello.generation.value) + ": both sides must name the same directory");
  }
  auto fence = FileFence::open(**arbiter);
  if (!fence) return pass(fence);
  if (options_.cards) {
    auto cards = options_.cards(configuration);
    if (!cards) return pass(cards);
    cards_ = std::move(*cards);
  }
  auto machine = options_.factory->make(configuration);
  if (!machine) return machine;
  std::lock_guard guard(lock_);
  if (halted_) return std::unexpected(*halted_);  // the primary did not wait
  arbiter_ = std::move(*arbiter);
  fence_ = std::move(*fence);
  fenced_ = std::make_unique<FencedWorld>(inner_, *fence_, hello.generation, [this] {
    fenced_off_ = true;
    inner_.notify();
  });
  worker_ = std::make_unique<StorageWorker>();
  link_->set_beat_ms(int(std::max<u64>(1, backup_->timing().heartbeat_ns() / kNsPerMs)));
  backup_->ready(now());
  perform();
  listener_.reset();  // one primary is enough
  return machine;
}

Link::Events BackupSession::events() {
  return {.message =
              [this](const Message& message) {
                backup_->received(message, now());
                perform();
              },
          .closed =
              [this](const std::string& why) {
                backup_->channel_closed(why, now());
                perform();
              },
          .heartbeat =
              [this](const Heartbeat& heartbeat) {
                backup_->heard(heartbeat, now());
                perform();
              },
          .tick =
              [this] {
                backup_->tick(now());
                perform();
              },
          .beat = [this] { return backup_->heartbeat(now()); }};
}

// ---- following

session::RunReport BackupSession::follow(machine::Machine& machine) {
  session::ReplayOptions replay_options;
  replay_options.on_output = [this](const door::OutputAt& output) {
    std::lock_guard guard(lock_);
    backup_->made(output, now());
  };
  replay_options.on_entry = [this](const log::Entry& entry) {
    std::lock_guard guard(lock_);
    backup_->consumed(entry, now());
    perform();
  };
  session::ReplaySession replay(machine, *this, replay_options);
  while (true) {
    const session::ReplayState state = replay.advance(kSlice);
    bool may_live, over;
    {
      std::lock_guard guard(lock_);
      if (state == session::ReplayState::kDone && !stopped_) backup_->diverged(replay.report().error.sentence, now());
      perform();
      may_live = go_live_.has_value();
      over = stopped_ || halted_;
    }
    if (may_live) return live(machine, replay);
    if (over) break;
    if (operator_stops(state == session::ReplayState::kWaiting ? now() + kPatienceNs : 0)) {
      std::lock_guard guard(lock_);
      backup_->failed({ErrorKind::kEnvironment, "the operator ended the backup"}, now());
      perform();
      session::RunReport report = replay.report();
      report.reason = session::StopReason::kStopped;
      return report;
    }
  }
  std::lock_guard guard(lock_);
  return halted_ ? failed(*halted_, replay.report()) : replay.report();
}

Result<session::Next> BackupSession::next() {
  std::lock_guard guard(lock_);
  if (entries_.empty()) return session::NotYet{backup_->reached()};
  log::Entry entry = std::move(entries_.front());
  entries_.pop_front();
  return entry;
}

// ---- living

session::RunReport BackupSession::live(machine::Machine& machine, const session::ReplaySession& replay) {
  GoLive go_live;
  {
    std::lock_guard guard(lock_);
    go_live = std::move(*go_live_);
    promoted_ = true;
  }
  fenced_->set_generation(go_live.generation);
  if (options_.take_over) {
    if (auto taken = options_.take_over(); !taken) return failed(taken.error(), replay.report());
  }
  if (go_live.announce) {
    for (u32 nic = 0; nic < cards_.size(); ++nic) {
      fenced_->perform(door::PacketOutput{nic, announcement(cards_[nic])});
    }
  }
  for (const door::OutputAt& output : go_live.send_again) fenced_->perform(output.output);
  session::LiveSession session(machine, *fenced_, *this, options_.live);
  session::Promotion promotion;
  if (go_live.reissue) promotion.outstanding_disk = replay.outstanding_disk().requests();
  promotion.wall_clock_unix_ns = replay.wall_clock_unix_ns();
  if (auto on = session.promote(promotion); !on) return failed(on.error(), replay.report());
  return session.run();
}

Result<void> BackupSession::alive() const {
  if (!fenced_off_) return {};
  return fail(ErrorKind::kEnvironment, "a newer generation owns the disks: another side runs the machine now");
}

Result<void> BackupSession::append(const log::Entry&) { return alive(); }

Result<void> BackupSession::emit(door::OutputAt output) {
  fenced_->perform(output.output);
  return alive();
}

Result<bool> BackupSession::poll(door::Position) {
  if (auto r = alive(); !r) return pass(r);
  return false;
}

Result<void> BackupSession::close(door::Position, u64) {
  std::vector<door::Input> ignored;
  while (alive() && fenced_->waiting() + fenced_->writes_in_flight() > 0) {
    fenced_->wait(now() + 10 * kNsPerMs, ignored);
    ignored.clear();
  }
  return alive();
}

// ---- obligations

void BackupSession::perform() {
  Obligations out = backup_->take();
  for (const Event& event : out.events) {
    lost_arbitration_ |= event.kind == EventKind::kArbiterLost;
    if (options_.on_event) options_.on_event(event);
  }
  for (const Message& message : out.send) link_->send(message);
  for (log::Entry& entry : out.replay) entries_.push_back(std::move(entry));
  if (out.close_channel) link_->close_channel();
  obey_storage(out);
  if (out.go_live) go_live_ = std::move(out.go_live);
  stopped_ |= out.stopped;
  if (out.halt) halted_ = out.halt;
  if (!out.replay.empty() || out.go_live || out.stopped || out.halt || backup_->accepted() != known_accepted_) {
    known_accepted_ = backup_->accepted();
    inner_.notify();
  }
}

void BackupSession::obey_storage(const Obligations& out) {
  if (out.ask_arbiter) {
    worker_->ask([this, generation = *out.ask_arbiter] {
      const ArbiterAnswer answer = arbiter_->claim(generation, claimant_);
      std::lock_guard guard(lock_);
      backup_->arbiter_answered(generation, answer, now());
      perform();
    });
  }
  if (out.raise_fence) {
    worker_->ask([this, generation = *out.raise_fence] {
      const FenceAnswer answer = fence_->raise(generation);
      std::lock_guard guard(lock_);
      backup_->fence_answered(generation, answer, now());
      perform();
    });
  }
}

void BackupSession::tell(EventKind kind, std::string sentence) {
  if (options_.on_event) options_.on_event({kind, std::move(sentence)});
}

// ---- for the report

bool BackupSession::promoted() const {
  std::lock_guard guard(lock_);
  return promoted_;
}

bool BackupSession::lost_arbitration() const {
  std::lock_guard guard(lock_);
  return lost_arbitration_;
}

std::vector<std::pair<std::string, u64>> BackupSession::counters() const {
  std::lock_guard guard(lock_);
  if (!backup_) return {};
  return {{"failover.generation", backup_->generation().value},
          {"failover.promoted", promoted_},
          {"failover.entries", backup_->received_entries()},
          {"failover.buffered_bytes", backup_->buffered_bytes()}};
}

}  // namespace pollux::failover::driver
