#include "failover/backup.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::failover {
namespace {

// The primary keeps below the buffer but for one slice and one message; what goes beyond this is no primary of ours.
constexpr u64 kBufferSlack = 2;

bool is_end(const log::Entry& entry) { return std::holds_alternative<log::End>(entry.body); }

}  // namespace

Backup::Backup(BackupSettings settings, u64 now_ns, Mutations mutations)
    : settings_(std::move(settings)),
      mutations_(mutations),
      unsure_(settings_.unsure_limit_bytes),
      detector_(Timing{}, now_ns, mutations) {}

// ---- from the primary

void Backup::received(const Message& message, u64 now_ns) {
  if (state_ != State::kWaiting && state_ != State::kFollowing) return;
  detector_.heard_channel(now_ns);
  if (const auto* hello = std::get_if<Hello>(&message)) return on(*hello, now_ns);
  if (!accepted_) return halt(ErrorKind::kFormat, "the other side did not say hello first: it is no primary");
  if (const auto* entries = std::get_if<Log>(&message)) return on(*entries, now_ns);
  if (const auto* keep_alive = std::get_if<KeepAlive>(&message)) return on(*keep_alive, now_ns);
  if (const auto* dropped = std::get_if<Dropped>(&message)) return on(*dropped, now_ns);
  lost(std::string("it sent a message that only a backup sends: ") + failover::name(message), now_ns);
}

std::string Backup::refusal(const Hello& hello) const {
  if (hello.protocol != kProtocolVersion || hello.version != settings_.version) {
    return "this backup is version " + settings_.version + ", the primary is version " + hello.version +
           ": run the same version on both sides";
  }
  if (!settings_.pair.empty() && hello.pair != settings_.pair) {
    return "this backup is for machine '" + settings_.pair + "', the primary runs '" + hello.pair +
           "': give both the same --name";
  }
  if (hello.disks.size() != settings_.disks.size()) {
    return "this backup has " + std::to_string(settings_.disks.size()) + " disks, the primary has " +
           std::to_string(hello.disks.size()) + ": name the same disks on both sides, in the same order";
  }
  for (std::size_t i = 0; i < hello.disks.size(); ++i) {
    if (hello.disks[i] == settings_.disks[i]) continue;
    const bool size = hello.disks[i].size_bytes != settings_.disks[i].size_bytes;
    return "disk " + std::to_string(i) + " of this backup is not the primary's (" +
           (size ? "another size" : hello.disks[i].read_only != settings_.disks[i].read_only ? "one is read-only"
                                                                                            : "another content") +
           "): both sides must see the same shared disk";
  }
  if (hello.timeout_ns == 0) return "the primary names no timeout";
  return {};
}

void Backup::on(const Hello& message, u64 now_ns) {
  if (state_ != State::kWaiting || accepted_) return lost("it said hello twice", now_ns);
  if (std::string why = refusal(message); !why.empty()) {
    out_.send.push_back(Refused{why});
    return halt(ErrorKind::kUsage, std::move(why));
  }
  hello_ = message;
  accepted_ = true;
  generation_ = message.generation;
  timing_.timeout_ns = message.timeout_ns;
}

void Backup::ready(u64 now_ns) {
  if (state_ != State::kWaiting || !accepted_) return;
  state_ = State::kFollowing;
  detector_ = Detector(timing_, now_ns, mutations_);
  acknowledged_ns_ = now_ns;
  out_.send.push_back(Welcome{settings_.name, settings_.buffer_bytes});
  say(EventKind::kProtected, "following " + hello_.name);
}

void Backup::on(const Log& message, u64 now_ns) {
  if (message.first != received_) return lost("entries of its log are missing", now_ns);
  unsure_.released(message.released);
  echo_ns_ = std::max(echo_ns_, message.sent_ns);
  for (const log::Entry& entry : message.entries) {
    if (received_ > 0 && entry.position < last_position_) return lost("its log goes backward", now_ns);
    ++received_;
    received_bytes_ += footprint(entry);
    last_position_ = entry.position;
    out_.replay.push_back(entry);
  }
  if (!message.entries.empty()) sent_.push_back({received_, message.sent_ns});
  if (buffered_bytes() > settings_.buffer_bytes * kBufferSlack + kBufferSlack * (64 << 20)) {
    return lost("it sends more than this side can hold", now_ns);
  }
  acknowledge(now_ns);
}

void Backup::on(const KeepAlive& message, u64 now_ns) {
  unsure_.released(message.released);
  echo_ns_ = std::max(echo_ns_, message.sent_ns);
  acknowledge(now_ns);
}

void Backup::on(const Dropped& message, u64) {
  say(EventKind::kDropped, message.sentence);
  halt(ErrorKind::kEnvironment, message.sentence);
}

void Backup::heard(const Heartbeat& heartbeat, u64 now_ns) {
  if (!heartbeat.from_primary || !accepted_ || heartbeat.generation != hello_.generation) return;
  if (heartbeat.sent_ns <= peer_beat_ns_) return;  // late, or sent twice
  peer_beat_ns_ = heartbeat.sent_ns;
  detector_.heard_heartbeat(now_ns);
}

std::optional<Heartbeat> Backup::heartbeat(u64 now_ns) const {
  if (state_ != State::kFollowing || mutations_.has(Mutation::kForgetHeartbeat)) return std::nullopt;
  return Heartbeat{.generation = hello_.generation, .from_primary = false, .sent_ns = now_ns, .echo_ns = peer_beat_ns_};
}

void Backup::channel_closed(std::string_view why, u64 now_ns) {
  if (state_ == State::kWaiting) {
    return halt(ErrorKind::kEnvironment, "the primary closed the connection before it began: " + std::string(why));
  }
  if (state_ == State::kFollowing) lost(std::string(why), now_ns);
}

// ---- from the replay

void Backup::consumed(const log::Entry& entry, u64 now_ns) {
  POLLUX_CHECK(consumed_ < received_, "an entry is received before it is consumed");
  ++consumed_;
  consumed_bytes_ += footprint(entry);
  while (!sent_.empty() && sent_.front().last <= consumed_) sent_.pop_front();
  if (is_end(entry)) {
    if (state_ == State::kFollowing || state_ == State::kDraining || state_ == State::kArbitrating) {
      state_ = State::kStopped;
      retry_ns_ = 0;
      out_.stopped = true;
      say(EventKind::kStopped, "the machine ended on the primary");
    }
    return;
  }
  // A primary that waits for room hears of it at once.
  if (state_ == State::kFollowing && consumed_bytes_ - told_bytes_ > settings_.buffer_bytes / 4) acknowledge(now_ns);
  check_drained(now_ns);
}

void Backup::made(const door::OutputAt& output, u64) {
  const auto* disk = std::get_if<door::DiskOutput>(&output.output);
  const bool reads = disk && disk->operation == door::DiskOperation::kRead;
  if (mutations_.has(Mutation::kBackupPerforms) || (reads && mutations_.has(Mutation::kBackupReads))) {
    out_.release.push_back(output);
  }
  unsure_.made(output);
}

void Backup::diverged(std::string sentence, u64) {
  if (state_ == State::kStopped || state_ == State::kHalted) return;
  say(EventKind::kDiverged, sentence);
  leave(true, sentence);
  halt(ErrorKind::kDivergence, std::move(sentence));
}

void Backup::failed(Error error, u64) {
  if (state_ == State::kStopped || state_ == State::kHalted) return;
  if (state_ == State::kWaiting) {
    out_.send.push_back(Refused{error.sentence});
  } else {
    leave(false, error.sentence);
  }
  halt(error.kind, std::move(error.sentence));
}

// ---- promotion

void Backup::lost(std::string why, u64 now_ns) {
  say(EventKind::kPeerLost, "lost " + hello_.name + ": " + why);
  state_ = State::kDraining;
  out_.close_channel = true;
  check_drained(now_ns);
}

void Backup::check_drained(u64) {
  if (state_ != State::kDraining) return;
  if (consumed_ < received_ && !mutations_.has(Mutation::kPromoteBeforeConsuming)) return;
  if (mutations_.has(Mutation::kGoLiveWithoutArbiter)) return go_live();
  state_ = State::kArbitrating;
  out_.ask_arbiter = generation_ + 1;
}

void Backup::arbiter_answered(Generation generation, ArbiterAnswer answer, u64 now_ns) {
  if (state_ != State::kArbitrating || generation != generation_ + 1) return;
  switch (answer) {
    case ArbiterAnswer::kWon:
      generation_ = generation;
      unreachable_said_ = false;
      if (mutations_.has(Mutation::kForgetFence)) return go_live();
      state_ = State::kFencing;
      out_.raise_fence = generation_;
      return;
    case ArbiterAnswer::kLost:
      if (mutations_.has(Mutation::kLoserGoesOn)) return go_live();
      say(EventKind::kArbiterLost, "the primary goes on without this side");
      return halt(ErrorKind::kEnvironment, "this side lost the arbitration of generation " +
                                               std::to_string(generation.value) +
                                               ": the primary goes on without this backup");
    case ArbiterAnswer::kUnreachable:
      if (!unreachable_said_) say(EventKind::kArbiterUnreachable, "the arbiter cannot be reached: waiting");
      unreachable_said_ = true;
      retry_ns_ = now_ns + timing_.retry_ns();
  }
}

void Backup::fence_answered(Generation generation, FenceAnswer answer, u64 now_ns) {
  if (state_ != State::kFencing || generation != generation_) return;
  switch (answer) {
    case FenceAnswer::kMine: return go_live();
    case FenceAnswer::kFenced:
      return halt(ErrorKind::kEnvironment, "a newer generation owns the disks: another side runs the machine now");
    case FenceAnswer::kUnreachable:
      if (!unreachable_said_) {
        say(EventKind::kArbiterUnreachable,
            "the disks' fence cannot be raised (the old primary may be writing, or storage is away): waiting");
      }
      unreachable_said_ = true;
      retry_ns_ = now_ns + timing_.retry_ns() / 10;
  }
}

void Backup::go_live() {
  state_ = State::kLive;
  say(EventKind::kPromoted, "the machine runs here now, not protected: generation " + std::to_string(generation_.value));
  out_.go_live = GoLive{.generation = generation_,
                        .announce = !mutations_.has(Mutation::kForgetAnnouncement),
                        .send_again = unsure_.take(),
                        .reissue = !mutations_.has(Mutation::kForgetOutstanding)};
}

// ---- time

void Backup::tick(u64 now_ns) {
  detector_.tick(now_ns);
  if (state_ == State::kFollowing && detector_.suspects(now_ns)) {
    return lost(std::string(kSilence), now_ns);
  }
  if (now_ns - acknowledged_ns_ >= timing_.keep_alive_ns() && !mutations_.has(Mutation::kForgetKeepAlive)) {
    acknowledge(now_ns);
  }
  if (retry_ns_ == 0 || now_ns < retry_ns_) return;
  retry_ns_ = 0;
  if (state_ == State::kArbitrating) out_.ask_arbiter = generation_ + 1;
  if (state_ == State::kFencing) out_.raise_fence = generation_;
}

Obligations Backup::take() { return std::exchange(out_, {}); }

door::Position Backup::reached() const {
  if (received_ == 0) return {};
  return mutations_.has(Mutation::kRunPastTheLog) ? last_position_ + 100'000 : last_position_;
}

void Backup::acknowledge(u64 now_ns) {
  if (state_ != State::kFollowing) return;
  acknowledged_ns_ = now_ns;
  told_bytes_ = consumed_bytes_;
  // One acknowledgement says all that earlier ones in the same turn would have said.
  if (!out_.send.empty() && std::holds_alternative<Ack>(out_.send.back())) out_.send.pop_back();
  out_.send.push_back(Ack{.received = received_,
                          .consumed = consumed_,
                          .consumed_bytes = consumed_bytes_,
                          .behind_ns = sent_.empty() ? 0 : sent_.front().sent_ns,
                          .echo_ns = echo_ns_});
}

void Backup::leave(bool is_divergence, std::string sentence) {
  if (state_ == State::kFollowing) out_.send.push_back(Leaving{is_divergence, std::move(sentence)});
}

void Backup::halt(ErrorKind kind, std::string sentence) {
  if (state_ == State::kHalted) return;
  state_ = State::kHalted;
  out_.close_channel = true;
  say(EventKind::kHalted, sentence);
  out_.halt = Error{kind, std::move(sentence)};
}

void Backup::say(EventKind kind, std::string sentence) { out_.events.push_back({kind, std::move(sentence)}); }

const char* name(Backup::State state) {
  switch (state) {
    case Backup::State::kWaiting: return "waiting";
    case Backup::State::kFollowing: return "following";
    case Backup::State::kDraining: return "draining";
    case Backup::State::kArbitrating: return "arbitrating";
    case Backup::State::kFencing: return "fencing";
    case Backup::State::kLive: return "live";
    case Backup::State::kStopped: return "stopped";
    case Backup::State::kHalted: return "halted";
  }
  return "?";
}

}  // namespace pollux::failover
