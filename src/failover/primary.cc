#include "failover/primary.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pollux::failover {
namespace {

// Small entries wait for company until the slice ends or an output is made, but not beyond this.
constexpr std::size_t kFlushEntries = 256;
constexpr u64 kFlushBytes = 64 << 10;

}  // namespace

Primary::Primary(PrimarySettings settings, u64 now_ns, Mutations mutations)
    : settings_(std::move(settings)),
      mutations_(mutations),
      detector_(settings_.timing, now_ns, mutations),
      speed_(settings_.lag),
      opened_ns_(now_ns) {
  out_.send.push_back(Hello{.version = settings_.version,
                            .pair = settings_.pair,
                            .name = settings_.name,
                            .generation = settings_.generation,
                            .timeout_ns = settings_.timing.timeout_ns,
                            .configuration = std::exchange(settings_.configuration, {}),
                            .disks = settings_.disks});
}

// ---- from the session

void Primary::appended(const log::Entry& entry, u64 now_ns) {
  POLLUX_CHECK(state_ != State::kOpening && !closing_, "a machine runs between welcome and end");
  if (state_ != State::kProtected) return;
  if (mutations_.has(Mutation::kDeliverBeforeAppend)) {
    if (late_) push({std::max(late_->position, last_position_), late_->body}, now_ns);
    late_ = entry;
    return;
  }
  push(entry, now_ns);
}

void Primary::made(door::OutputAt output, u64 now_ns) {
  position_ = std::max(position_, output.position);
  switch (state_) {
    case State::kUnprotected: out_.release.push_back(std::move(output)); return;
    case State::kArbitrating:
    case State::kFencing:
      ++outputs_held_;
      gate_.hold(std::move(output), ~u64{0});
      return;
    case State::kProtected: break;
    default: return;
  }
  if (appended_ == 0 || last_position_ < output.position) push({output.position, log::Reached{}}, now_ns);
  ++outputs_held_;
  gate_.hold(std::move(output), appended_);
  flush(now_ns);
  open_gate(now_ns);
}

void Primary::progressed(door::Position position, u64 now_ns) {
  position_ = std::max(position_, position);
  if (state_ != State::kProtected) return;
  if (position_ > last_position_ && now_ns - last_entry_ns_ >= settings_.timing.reached_ns()) {
    push({position_, log::Reached{}}, now_ns);
  }
  flush(now_ns);
}

void Primary::closing(door::Position position, u64 digest, u64 now_ns) {
  closing_ = true;
  position_ = std::max(position_, position);
  if (state_ == State::kProtected) {
    if (!mutations_.has(Mutation::kForgetEnd)) push({position_, log::End{digest}}, now_ns);
    flush(now_ns);
    state_ = State::kClosing;
    open_gate(now_ns);
  } else if (state_ == State::kUnprotected) {
    state_ = State::kClosed;
    out_.stopped = true;
    say(EventKind::kStopped, "the machine ended");
  }
}

// ---- from the other side

void Primary::received(const Message& message, u64 now_ns) {
  detector_.heard_channel(now_ns);
  if (const auto* welcome = std::get_if<Welcome>(&message)) return on(*welcome, now_ns);
  if (const auto* refused = std::get_if<Refused>(&message)) return on(*refused, now_ns);
  if (const auto* ack = std::get_if<Ack>(&message)) return on(*ack, now_ns);
  if (const auto* leaving = std::get_if<Leaving>(&message)) return on(*leaving, now_ns);
  channel_closed(std::string("it sent a message that only a primary sends: ") + failover::name(message), now_ns);
}

void Primary::on(const Welcome& message, u64 now_ns) {
  if (state_ != State::kOpening) return;
  backup_name_ = message.name;
  buffer_bytes_ = message.buffer_bytes;
  state_ = State::kProtected;
  echo_ns_ = opened_ns_;
  last_entry_ns_ = now_ns;
  say(EventKind::kProtected, "protected by " + backup_name_);
}

void Primary::on(const Refused& message, u64) {
  if (state_ != State::kOpening) return;
  halt(ErrorKind::kEnvironment, "the backup refused: " + message.sentence);
}

void Primary::on(const Ack& message, u64 now_ns) {
  if (!logging()) return;
  if (message.received > appended_ || message.received < acknowledged_ || message.consumed > message.received) {
    return lost("it acknowledged what was not sent", now_ns);
  }
  acknowledged_ = message.received;
  consumed_bytes_ = std::max(consumed_bytes_, message.consumed_bytes);
  echo_ns_ = std::max(echo_ns_, std::min(message.echo_ns, now_ns));
  lag_.behind(message.behind_ns);
  open_gate(now_ns);
}

void Primary::on(const Leaving& message, u64 now_ns) {
  if (!logging()) return;
  if (message.diverged) say(EventKind::kDiverged, backup_name_ + ": " + message.sentence);
  lost(message.sentence, now_ns);
}

void Primary::heard(const Heartbeat& heartbeat, u64 now_ns) {
  if (heartbeat.from_primary || heartbeat.generation != settings_.generation) return;
  if (heartbeat.sent_ns <= peer_beat_ns_) return;  // late, or sent twice
  peer_beat_ns_ = heartbeat.sent_ns;
  detector_.heard_heartbeat(now_ns);
  echo_ns_ = std::max(echo_ns_, std::min(heartbeat.echo_ns, now_ns));
  if (logging()) open_gate(now_ns);
}

std::optional<Heartbeat> Primary::heartbeat(u64 now_ns) const {
  if (!logging() || mutations_.has(Mutation::kForgetHeartbeat)) return std::nullopt;
  return Heartbeat{
      .generation = settings_.generation, .from_primary = true, .sent_ns = now_ns, .echo_ns = peer_beat_ns_};
}

void Primary::channel_closed(std::string_view why, u64 now_ns) {
  if (state_ == State::kOpening) {
    return halt(ErrorKind::kEnvironment, "the backup closed the connection before it was ready: " + std::string(why));
  }
  if (logging()) lost(std::string(why), now_ns);
}

// ---- from storage

void Primary::arbiter_answered(Generation generation, ArbiterAnswer answer, u64 now_ns) {
  if (state_ != State::kArbitrating || generation != settings_.generation + 1) return;
  switch (answer) {
    case ArbiterAnswer::kWon:
      settings_.generation = generation;
      unreachable_said_ = false;
      state_ = State::kFencing;
      return raise(now_ns);
    case ArbiterAnswer::kLost:
      if (mutations_.has(Mutation::kLoserGoesOn)) return go_alone(now_ns);
      say(EventKind::kArbiterLost, "the other side runs the machine now");
      return halt(ErrorKind::kEnvironment,
                  "this side lost the arbitration of generation " + std::to_string(generation.value) +
                      ": the other side runs the machine now");
    case ArbiterAnswer::kUnreachable:
      if (!unreachable_said_) say(EventKind::kArbiterUnreachable, "the arbiter cannot be reached: waiting");
      unreachable_said_ = true;
      retry_ns_ = now_ns + settings_.timing.retry_ns();
  }
}

void Primary::fence_answered(Generation generation, FenceAnswer answer, u64 now_ns) {
  if (generation != settings_.generation) return;
  if (answer == FenceAnswer::kFenced) {
    if (state_ == State::kHalted || state_ == State::kClosed) return;
    return halt(ErrorKind::kEnvironment, "a newer generation owns the disks: the other side runs the machine now");
  }
  if (state_ != State::kFencing) return;
  if (answer == FenceAnswer::kMine) return go_alone(now_ns);
  if (!unreachable_said_) say(EventKind::kArbiterUnreachable, "the disks' fence cannot be raised: waiting");
  unreachable_said_ = true;
  retry_ns_ = now_ns + settings_.timing.retry_ns();
}

// ---- time

void Primary::tick(u64 now_ns) {
  detector_.tick(now_ns);
  if (state_ == State::kOpening && now_ns - opened_ns_ > settings_.timing.hello_ns()) {
    return halt(ErrorKind::kEnvironment, "the backup does not answer: is it one of this version?");
  }
  if (logging()) {
    flush(now_ns);
    if (now_ns - last_sent_ns_ >= settings_.timing.keep_alive_ns() && !mutations_.has(Mutation::kForgetKeepAlive)) {
      out_.send.push_back(KeepAlive{now_ns, released()});
      last_sent_ns_ = now_ns;
    }
    check_lag(now_ns);
    if (!logging()) return;
    if (detector_.suspects(now_ns)) {
      return lost(std::string(kSilence), now_ns);
    }
    open_gate(now_ns);
  }
  if (retry_ns_ != 0 && now_ns >= retry_ns_) {
    if (state_ == State::kArbitrating) ask(now_ns);
    if (state_ == State::kFencing) raise(now_ns);
  }
}

void Primary::check_lag(u64 now_ns) {
  if (mutations_.has(Mutation::kNeverSlowDown)) return;
  const u64 lag = lag_.lag_ns(now_ns);
  switch (speed_.tick(lag, now_ns)) {
    case SpeedController::Change::kNone: break;
    case SpeedController::Change::kLowered:
      if (slowed_++ == 0 || speed_.speed() > 0.965) say(EventKind::kSlowed, "the backup is behind: slowing down");
      break;
    case SpeedController::Change::kRestored: say(EventKind::kRestored, "the backup has caught up: full speed"); break;
  }
  const bool full = buffer_full();
  if (full && !full_) {
    ++stalls_;
    say(EventKind::kStalled, "the backup's buffer is full: waiting for it");
  }
  full_ = full;
  // Arbitration comes first, so that a backup far behind cannot take over because it was told that it is.
  if (speed_.drop(lag)) {
    dropping_ = true;
    say(EventKind::kDropped, backup_name_ + " cannot keep up: going on without it");
    lost("it cannot keep up", now_ns);
  }
}

bool Primary::holds_machine() const {
  switch (state_) {
    case State::kProtected: return buffer_full() || gate_.held_bytes() > settings_.held_limit_bytes;
    case State::kArbitrating:
    case State::kFencing: return gate_.held_bytes() > settings_.held_limit_bytes;
    case State::kUnprotected: return false;
    default: return true;
  }
}

bool Primary::buffer_full() const {
  if (mutations_.has(Mutation::kUnboundedBuffer)) return false;
  return appended_bytes_ - std::min(appended_bytes_, consumed_bytes_) > buffer_bytes_;
}

Obligations Primary::take() { return std::exchange(out_, {}); }

Primary::Counters Primary::counters(u64 now_ns) const {
  return {.entries = appended_,
          .outputs_held = outputs_held_,
          .held_now = gate_.held(),
          .stalls = stalls_,
          .slowed = slowed_,
          .lag_ns = logging() ? lag_.lag_ns(now_ns) : 0,
          .speed = speed_.speed()};
}

// ---- the log and the gate

void Primary::push(const log::Entry& entry, u64 now_ns) {
  POLLUX_CHECK(appended_ == 0 || last_position_ <= entry.position, "positions in a log never decrease");
  if (pending_.entries.empty()) pending_.first = appended_;
  pending_.entries.push_back(entry);
  const u64 bytes = footprint(entry);
  ++appended_;
  appended_bytes_ += bytes;
  last_position_ = entry.position;
  last_entry_ns_ = now_ns;
  if (pending_.entries.size() >= kFlushEntries || bytes >= kFlushBytes) flush(now_ns);
}

void Primary::flush(u64 now_ns) {
  if (pending_.entries.empty()) return;
  pending_.sent_ns = now_ns;
  pending_.released = released();
  last_sent_ns_ = now_ns;
  out_.send.push_back(std::exchange(pending_, {}));
}

void Primary::open_gate(u64 now_ns) {
  if (!logging()) return;
  if (mutations_.has(Mutation::kReleaseWithoutAck)) return release(gate_.open_all());
  if (now_ns - std::min(now_ns, echo_ns_) > settings_.timing.lease_ns()) return;
  release(gate_.open(acknowledged_));
  if (state_ == State::kClosing && gate_.held() == 0 && acknowledged_ == appended_) {
    state_ = State::kClosed;
    out_.stopped = true;
    say(EventKind::kStopped, "the machine ended, and the backup knows it");
  }
}

void Primary::release(std::vector<door::OutputAt> outputs) {
  for (door::OutputAt& output : outputs) {
    released_ = output.position;
    out_.release.push_back(std::move(output));
  }
}

// Up to where nothing is held and nothing more can be made.
door::Position Primary::released() const {
  const door::Position next = gate_.held() > 0 ? gate_.first() : position_;
  const door::Position below = next > door::Position{} ? door::Position(next.value - 1) : next;
  return std::min(released_, below);
}

// ---- alone

void Primary::lost(std::string why, u64 now_ns) {
  say(EventKind::kPeerLost, "lost " + backup_name_ + ": " + why);
  pending_.entries.clear();
  state_ = State::kArbitrating;
  if (!dropping_) out_.close_channel = true;
  if (mutations_.has(Mutation::kGoLiveWithoutArbiter)) return go_alone(now_ns);
  ask(now_ns);
}

void Primary::ask(u64) {
  retry_ns_ = 0;
  out_.ask_arbiter = settings_.generation + 1;
}

void Primary::raise(u64) {
  retry_ns_ = 0;
  out_.raise_fence = settings_.generation;
}

void Primary::go_alone(u64) {
  if (dropping_) {
    out_.send.push_back(Dropped{"the primary goes on without this backup, which cannot keep up"});
    out_.close_channel = true;
  }
  state_ = State::kUnprotected;
  say(EventKind::kUnprotected, "not protected: alone, generation " + std::to_string(settings_.generation.value));
  release(gate_.open_all());
  if (closing_) {
    state_ = State::kClosed;
    out_.stopped = true;
    say(EventKind::kStopped, "the machine ended");
  }
}

void Primary::halt(ErrorKind kind, std::string sentence) {
  if (state_ == State::kHalted) return;
  state_ = State::kHalted;
  gate_ = {};
  out_.release.clear();
  out_.close_channel = true;
  say(EventKind::kHalted, sentence);
  out_.halt = Error{kind, std::move(sentence)};
}

void Primary::say(EventKind kind, std::string sentence) { out_.events.push_back({kind, std::move(sentence)}); }

const char* name(Primary::State state) {
  switch (state) {
    case Primary::State::kOpening: return "opening";
    case Primary::State::kProtected: return "protected";
    case Primary::State::kArbitrating: return "arbitrating";
    case Primary::State::kFencing: return "fencing";
    case Primary::State::kUnprotected: return "unprotected";
    case Primary::State::kClosing: return "closing";
    case Primary::State::kClosed: return "closed";
    case Primary::State::kHalted: return "halted";
  }
  return "?";
}

}  // namespace pollux::failover
