#include "sim/primary_side.h"

#include "base/check.h"
#include "machine/counter_machine.h"
#include "session/live_session.h"
#include "sim/timed_machine.h"

namespace pollux::sim {

using failover::Primary;

namespace {

constexpr Side kMe = Side::kA;
constexpr u64 kMaxWaitNs = 10'000'000;

failover::PrimarySettings settings(const SideParts& parts) {
  failover::PrimarySettings s;
  s.pair = "sim";
  s.name = name(kMe);
  s.generation = failover::Generation(1);
  s.configuration = parts.configuration;
  s.disks = {{parts.storage.content().size(), false, 1}};
  return s;
}

}  // namespace

PrimarySide::PrimarySide(SideParts parts)
    : parts_(std::move(parts)),
      fence_(parts_.storage, kMe),
      world_(parts_.shared, kMe, parts_.network, parts_.storage),
      fenced_(world_, fence_, failover::Generation(1),
              [this] { primary_.fence_answered(primary_.generation(), failover::FenceAnswer::kFenced, now()); }),
      primary_(settings(parts_), parts_.shared.host(kMe).clock_ns(), parts_.mutations) {
  world_.set_generation(primary_.generation());
  parts_.network.attach(kMe, {.message =
                                  [this](failover::Message m) {
                                    primary_.received(m, now());
                                    perform();
                                  },
                              .closed =
                                  [this](std::string_view why) {
                                    primary_.channel_closed(why, now());
                                    perform();
                                  },
                              .heartbeat =
                                  [this](failover::Heartbeat h) {
                                    primary_.heard(h, now());
                                    perform();
                                  },
                              .packet = [this](Bytes frame) { world_.arrive(door::PacketInput{0, std::move(frame)}); }});
}

Ended PrimarySide::run() {
  tick();
  beat();
  while (host().alive() && !halted_ && primary_.state() == Primary::State::kOpening) host().sleep_or_wake(kMaxWaitNs);
  if (!halted_ && host().alive()) {
    machine::CounterMachineFactory factory;
    auto made = factory.make(parts_.configuration);
    POLLUX_CHECK(made.has_value(), "the simulation's own configuration");
    TimedMachine machine(std::move(*made), parts_.shared, kMe, parts_.ns_per_position);
    session::LiveOptions options;
    options.slice_ns = 1'000'000;
    options.mark_interval_ns = 100'000'000;
    options.max_idle_wait_ns = kMaxWaitNs;
    session::LiveSession session(machine, fenced_, *this, options);
    if (auto on = session.power_on(); on) session.run();
  }
  fenced_.shut();
  return !host().alive() ? Ended::kKilled : stopped_ ? Ended::kStopped : Ended::kHalted;
}

Result<void> PrimarySide::alive() {
  if (!host().alive()) return fail(ErrorKind::kEnvironment, "killed");
  if (halted_) return std::unexpected(*halted_);
  return {};
}

// ---- from the session

Result<void> PrimarySide::append(const log::Entry& entry) {
  if (auto r = alive(); !r) return r;
  position_ = entry.position;
  primary_.appended(entry, now());
  perform();
  return alive();
}

Result<void> PrimarySide::emit(door::OutputAt output) {
  if (auto r = alive(); !r) return r;
  position_ = output.position;
  parts_.shared.tell(&Observer::made, kMe, output);
  primary_.made(std::move(output), now());
  perform();
  return alive();
}

Result<bool> PrimarySide::poll(door::Position position) {
  if (auto r = alive(); !r) return pass(r);
  position_ = position;
  primary_.progressed(position, now());
  perform();
  if (const u64 rest_ns = primary_.pause_ns(now()); rest_ns > 0) host().sleep(rest_ns);
  if (auto r = alive(); !r) return pass(r);
  return primary_.holds_machine();
}

Result<void> PrimarySide::close(door::Position position, u64 digest) {
  if (auto r = alive(); !r) return r;
  parts_.shared.tell(&Observer::finished, kMe, position);
  primary_.closing(position, digest, now());
  perform();
  std::vector<door::Input> ignored;
  while (alive() && (!stopped_ || fenced_.waiting() + fenced_.writes_in_flight() > 0)) {
    fenced_.wait(now() + kMaxWaitNs, ignored);
  }
  return alive();
}

// ---- obligations

void PrimarySide::perform() {
  failover::Obligations out = primary_.take();
  if (!host().alive()) return;
  for (const failover::Event& event : out.events) parts_.shared.tell(&Observer::event, kMe, event);
  for (failover::Message& message : out.send) parts_.network.send(kMe, std::move(message));
  const bool alone = primary_.state() == Primary::State::kUnprotected ||
                     (primary_.state() == Primary::State::kClosed && primary_.generation().value > 1);
  if (alone && !std::exchange(told_alone_, true)) {
    world_.set_generation(primary_.generation());
    fenced_.set_generation(primary_.generation());
    parts_.shared.tell(&Observer::live, kMe, primary_.generation(), position_);
  }
  for (const door::OutputAt& output : out.release) {
    parts_.shared.tell(&Observer::released, kMe, output);
    fenced_.perform(output.output);
  }
  if (out.close_channel) parts_.network.close(kMe);
  if (out.ask_arbiter) {
    parts_.storage.claim(kMe, *out.ask_arbiter, [this, generation = *out.ask_arbiter](failover::ArbiterAnswer answer) {
      primary_.arbiter_answered(generation, answer, now());
      perform();
    });
  }
  if (out.raise_fence) {
    host().post(200'000, [this, generation = *out.raise_fence] {
      primary_.fence_answered(generation, fence_.raise(generation), now());
      perform();
    });
  }
  stopped_ |= out.stopped;
  if (out.halt) {
    halted_ = out.halt;
    fenced_.shut();
  }
  if (out.stopped || out.halt) host().wake();
  if (!host().in_fiber()) host().wake();  // it may be held
}

void PrimarySide::tick() {
  primary_.tick(now());
  perform();
  parts_.shared.tell(&Observer::lagged, kMe, primary_.counters(now()).lag_ns);
  host().post(primary_.timing().tick_ns(), [this] { tick(); });
}

void PrimarySide::beat() {
  if (const auto heartbeat = primary_.heartbeat(now())) parts_.network.beat(kMe, *heartbeat);
  host().post(primary_.timing().heartbeat_ns(), [this] { beat(); });
}

}  // namespace pollux::sim
