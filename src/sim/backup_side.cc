#include "sim/backup_side.h"

#include "base/check.h"
#include "machine/counter_machine.h"
#include "session/live_session.h"
#include "sim/timed_machine.h"

namespace pollux::sim {

using failover::Backup;

namespace {

constexpr Side kMe = Side::kB;
constexpr u64 kMaxWaitNs = 10'000'000;
constexpr u64 kSlice = 20'000;  // positions

failover::BackupSettings settings(const SideParts& parts) {
  failover::BackupSettings s;
  s.pair = "sim";
  s.name = name(kMe);
  s.disks = {{parts.storage.content().size(), false, 1}};
  s.buffer_bytes = parts.buffer_bytes;
  return s;
}

}  // namespace

BackupSide::BackupSide(SideParts parts)
    : parts_(std::move(parts)),
      fence_(parts_.storage, kMe),
      world_(parts_.shared, kMe, parts_.network, parts_.storage),
      fenced_(world_, fence_, failover::Generation(0), [this] { halted_ = Error{ErrorKind::kEnvironment, "fenced"}; }),
      backup_(settings(parts_), parts_.shared.host(kMe).clock_ns(), parts_.mutations) {
  world_.set_deaf(true);
  parts_.network.attach(kMe, {.message =
                                  [this](failover::Message m) {
                                    backup_.received(m, now());
                                    perform();
                                  },
                              .closed =
                                  [this](std::string_view why) {
                                    backup_.channel_closed(why, now());
                                    perform();
                                  },
                              .heartbeat =
                                  [this](failover::Heartbeat h) {
                                    backup_.heard(h, now());
                                    perform();
                                  },
                              .packet = [this](Bytes frame) { world_.arrive(door::PacketInput{0, std::move(frame)}); }});
}

Ended BackupSide::run() {
  tick();
  while (alive() && !backup_.accepted()) host().sleep_or_wake(kMaxWaitNs);
  Ended ended = Ended::kHalted;
  if (alive()) {
    machine::CounterMachineFactory factory;
    auto made = factory.make(backup_.hello().configuration);
    POLLUX_CHECK(made.has_value(), "the simulation's own configuration");
    TimedMachine machine(std::move(*made), parts_.shared, kMe, parts_.ns_per_position);
    host().sleep(2'000'000);
    backup_.ready(now());
    perform();
    beat();
    session::ReplayOptions options;
    options.on_output = [this](const door::OutputAt& output) {
      parts_.shared.tell(&Observer::made, kMe, output);
      backup_.made(output, now());
      perform();
    };
    options.on_entry = [this](const log::Entry& entry) {
      backup_.consumed(entry, now());
      perform();
    };
    session::ReplaySession replay(machine, *this, options);
    follow(replay);
    if (alive() && go_live_) ended = live(machine, replay);
  }
  fenced_.shut();
  return !host().alive() ? Ended::kKilled : stopped_ ? Ended::kStopped : ended;
}

void BackupSide::follow(session::ReplaySession& replay) {
  while (alive() && !go_live_ && !stopped_) {
    switch (replay.advance(kSlice)) {
      case session::ReplayState::kMore: break;
      case session::ReplayState::kWaiting: host().sleep_or_wake(kMaxWaitNs); break;
      case session::ReplayState::kDone:
        if (stopped_) return;
        backup_.diverged(replay.report().error.sentence, now());
        perform();
        return;
    }
  }
}

Ended BackupSide::live(machine::Machine& machine, const session::ReplaySession& replay) {
  parts_.shared.tell(&Observer::live, kMe, go_live_->generation, machine.position());
  world_.set_generation(go_live_->generation);
  fenced_.set_generation(go_live_->generation);
  world_.set_deaf(false);
  if (go_live_->announce) world_.announce();
  for (const door::OutputAt& output : go_live_->send_again) fenced_.perform(output.output);
  session::LiveOptions options;
  options.slice_ns = 1'000'000;
  options.max_idle_wait_ns = kMaxWaitNs;
  session::LiveSession session(machine, fenced_, *this, options);
  session::Promotion promotion;
  if (go_live_->reissue) promotion.outstanding_disk = replay.outstanding_disk().requests();
  promotion.wall_clock_unix_ns = replay.wall_clock_unix_ns();
  if (auto on = session.promote(promotion); on) session.run();
  return stopped_ ? Ended::kStopped : Ended::kHalted;
}

Result<void> BackupSide::alive() {
  if (!host().alive()) return fail(ErrorKind::kEnvironment, "killed");
  if (halted_) return std::unexpected(*halted_);
  return {};
}

// ---- for the replay

Result<session::Next> BackupSide::next() {
  if (entries_.empty()) return session::NotYet{backup_.reached()};
  log::Entry entry = std::move(entries_.front());
  entries_.pop_front();
  return entry;
}

// ---- for the life after promotion

Result<void> BackupSide::emit(door::OutputAt output) {
  if (auto r = alive(); !r) return r;
  parts_.shared.tell(&Observer::made, kMe, output);
  fenced_.perform(output.output);
  return alive();
}

Result<bool> BackupSide::poll(door::Position) {
  if (auto r = alive(); !r) return pass(r);
  return false;
}

Result<void> BackupSide::close(door::Position position, u64) {
  if (auto r = alive(); !r) return r;
  parts_.shared.tell(&Observer::finished, kMe, position);
  std::vector<door::Input> ignored;
  while (alive() && fenced_.waiting() + fenced_.writes_in_flight() > 0) fenced_.wait(now() + kMaxWaitNs, ignored);
  stopped_ = true;
  return alive();
}

// ---- obligations

void BackupSide::perform() {
  failover::Obligations out = backup_.take();
  if (!host().alive()) return;
  for (const failover::Event& event : out.events) parts_.shared.tell(&Observer::event, kMe, event);
  for (failover::Message& message : out.send) parts_.network.send(kMe, std::move(message));
  for (log::Entry& entry : out.replay) entries_.push_back(std::move(entry));
  parts_.shared.tell(&Observer::buffered, kMe, backup_.buffered_bytes(), parts_.buffer_bytes);
  // Only a mutation makes a backup release anything: past the fence, as a fault would.
  for (const door::OutputAt& output : out.release) world_.perform(output.output);
  if (out.close_channel) parts_.network.close(kMe);
  if (out.ask_arbiter) {
    parts_.storage.claim(kMe, *out.ask_arbiter, [this, generation = *out.ask_arbiter](failover::ArbiterAnswer answer) {
      backup_.arbiter_answered(generation, answer, now());
      perform();
    });
  }
  if (out.raise_fence) {
    host().post(200'000, [this, generation = *out.raise_fence] {
      backup_.fence_answered(generation, fence_.raise(generation), now());
      perform();
    });
  }
  if (out.go_live) go_live_ = std::move(out.go_live);
  stopped_ |= out.stopped;
  if (out.halt) halted_ = out.halt;
  if (!host().in_fiber()) host().wake();
}

void BackupSide::tick() {
  backup_.tick(now());
  perform();
  host().post(backup_.timing().tick_ns(), [this] { tick(); });
}

void BackupSide::beat() {
  if (const auto heartbeat = backup_.heartbeat(now())) parts_.network.beat(kMe, *heartbeat);
  host().post(backup_.timing().heartbeat_ns(), [this] { beat(); });
}

}  // namespace pollux::sim
