#include "session/live_session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "session/mark.h"
#include "session/session_door.h"

namespace pollux::session {
namespace {

constexpr u64 kPowerOnEntropyBytes = 256;
// Virtual clock: slices end at multiples of this, so that what happens between slices does so at fixed positions.
constexpr u64 kVirtualSlice = 16'384;
constexpr u64 kLeastSlice = 1'000;
// A new host's date is believed when it is at most this much later than the machine's.
constexpr u64 kBelievedGapNs = 10'000'000'000;

}  // namespace

LiveSession::LiveSession(machine::Machine& machine, world::World& world, Journal& journal, LiveOptions options)
    : machine_(machine),
      world_(world),
      journal_(journal),
      options_(std::move(options)),
      clock_(options_.tuning),
      seeded_(options_.seed),
      start_(machine.position()),
      mark_position_(machine.position()),
      mark_time_(machine.now()) {}

Result<void> LiveSession::power_on() {
  POLLUX_CHECK(machine_.position() == door::Position{}, "a machine is powered on at position 0");
  const u64 date = is_virtual() ? options_.virtual_unix_ns : world_.unix_ns();
  if (auto r = append_and_deliver(door::WallClockInput{date}); !r) return r;
  door::EntropyInput entropy{Bytes(kPowerOnEntropyBytes)};
  if (is_virtual()) {
    for (auto& byte : entropy.bytes) byte = std::byte(seeded_.next());
  } else {
    world_.fill_random(entropy.bytes);
  }
  if (auto r = append_and_deliver(entropy); !r) return r;
  clock_.start(world_.now_ns(), machine_.now());
  return append_and_deliver(door::ClockInput{machine_.now(), is_virtual() ? options_.virtual_rate : clock_.rate()});
}

Result<void> LiveSession::promote(const Promotion& promotion) {
  const door::VirtualNs now = machine_.now();
  door::VirtualNs target = now;
  const u64 unix_ns = world_.unix_ns();
  if (promotion.wall_clock_unix_ns != 0 && unix_ns > promotion.wall_clock_unix_ns) {
    const door::VirtualNs by_date(unix_ns - promotion.wall_clock_unix_ns);
    if (by_date >= now && by_date - now <= kBelievedGapNs) target = by_date;
  }
  clock_.start(world_.now_ns(), target);
  for (const door::OutputAt& output : promotion.outstanding_disk)
    if (auto r = emit(output); !r) return r;
  return {};
}

RunReport LiveSession::run() { return report(loop()); }

void LiveSession::request_stop() {
  stop_requested_ = true;
  world_.notify();
}

Result<void> LiveSession::loop() {
  while (!off_) {
    if (auto r = poll_journal(); !r) return r;
    take_arrived(0);
    Result<void> turn;
    if (held_ && !stop_is_pending()) {
      turn = be_held();
    } else if (!pending_.empty()) {
      turn = deliver_pending();
    } else if (idle_) {
      turn = be_idle();
    } else {
      turn = run_slice();
    }
    if (!turn) return turn;
  }
  return journal_.close(machine_.position(), machine_.digest());
}

Result<void> LiveSession::run_slice() {
  const u64 began_ns = world_.now_ns();
  const door::Position from = machine_.position();
  const machine::RunStop stop = machine_.run(slice_end(), early_stop());
  ++counters_.slices;
  idle_ = stop == machine::RunStop::kIdle;
  off_ = stop == machine::RunStop::kOff;
  if (auto r = emit_outputs(); !r || off_) return r;
  if (is_virtual() && !outstanding_.empty())
    if (auto r = answer_disks_at_once(); !r || off_) return r;
  if (auto r = mark_if_due(); !r) return r;
  const u64 now_ns = world_.now_ns();
  counters_.busy_ns += now_ns - began_ns;
  clock_.measure(now_ns - began_ns, machine_.position() - from);
  if (needs_entropy())
    if (auto r = give_entropy(now_ns); !r) return r;
  if (is_virtual() || idle_) return {};
  if (const auto input = clock_.running(now_ns, machine_.now())) return append_and_deliver(*input);
  return {};
}

Result<void> LiveSession::be_idle() {
  const door::VirtualNs wake = machine_.idle_until();
  const u64 now_ns = world_.now_ns();
  if (wake != door::kNever && (is_virtual() || clock_.target(now_ns) >= wake)) {
    machine_.skip_idle();
    ++counters_.skips;
    idle_ = false;
    return emit_outputs();
  }
  u64 deadline_ns = is_virtual() ? ~u64{0} : clock_.host_time_of(wake);
  if (needs_entropy()) {
    if (auto r = give_entropy(now_ns); !r || !idle_) return r;
    deadline_ns = std::min(deadline_ns, entropy_budget_.ready_ns(now_ns));
  }
  if (options_.max_idle_wait_ns < ~u64{0} - now_ns)
    deadline_ns = std::min(deadline_ns, now_ns + options_.max_idle_wait_ns);
  take_arrived(deadline_ns);
  counters_.idle_ns += world_.now_ns() - now_ns;
  return {};
}

Result<void> LiveSession::be_held() {
  const u64 now_ns = world_.now_ns();
  take_arrived(options_.max_idle_wait_ns < ~u64{0} - now_ns ? now_ns + options_.max_idle_wait_ns : ~u64{0});
  counters_.held_ns += world_.now_ns() - now_ns;
  return {};
}

Result<void> LiveSession::poll_journal() {
  Result<bool> held = journal_.poll(machine_.position());
  if (!held) return pass(held);
  held_ = *held;
  return {};
}

void LiveSession::take_arrived(u64 deadline_ns) {
  world_.wait(deadline_ns, pending_);
  if (stop_requested_.exchange(false)) pending_.emplace_back(door::StopInput{});
}

bool LiveSession::stop_is_pending() const {
  return std::ranges::any_of(pending_,
                             [](const auto& input) { return std::holds_alternative<door::StopInput>(input); });
}

Result<void> LiveSession::deliver_pending() {
  if (idle_)
    if (auto r = wake_for_input(); !r) return r;
  for (const door::Input& input : std::exchange(pending_, {})) {
    if (auto r = append_and_deliver(input); !r || off_) return r;
  }
  return {};
}

// An idle machine's virtual time stands still; an input must find the time of day as it is.
Result<void> LiveSession::wake_for_input() {
  if (is_virtual()) return {};
  const u64 now_ns = world_.now_ns();
  const door::VirtualNs wake = machine_.idle_until();
  if (wake != door::kNever && clock_.target(now_ns) >= wake) {
    machine_.skip_idle();
    ++counters_.skips;
    idle_ = false;
    return emit_outputs();
  }
  if (const auto input = clock_.woken(now_ns, machine_.now(), wake)) return append_and_deliver(*input);
  return {};
}

// Virtual clock: a disk takes no virtual time, and its answers come in the order of the requests. So they do not
// depend on how fast the host's disk is.
Result<void> LiveSession::answer_disks_at_once() {
  std::vector<std::optional<door::DiskCompletionInput>> answers;
  while (!outstanding_.empty() && !off_) {
    std::vector<door::Input> others;
    answers.resize(outstanding_.size());
    for (door::Input& input : std::exchange(pending_, {})) {
      auto* completion = std::get_if<door::DiskCompletionInput>(&input);
      const std::size_t place = completion ? outstanding_.place(*completion) : answers.size();
      if (place < answers.size()) {
        answers[place] = std::move(*completion);
      } else {
        others.push_back(std::move(input));
      }
    }
    pending_ = std::move(others);
    if (std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); })) {
      for (const auto& answer : std::exchange(answers, {}))
        if (auto r = append_and_deliver(*answer); !r || off_) return r;
      continue;
    }
    if (stop_is_pending()) return {};
    if (auto r = poll_journal(); !r) return r;
    if (auto r = be_held(); !r) return r;
  }
  return {};
}

Result<void> LiveSession::give_entropy(u64 now_ns) {
  const u64 wanted = machine_.entropy_wanted();
  const u64 count = is_virtual() ? std::min(wanted, EntropyBudget::kBucketBytes) : entropy_budget_.take(now_ns, wanted);
  if (count == 0) return {};
  door::EntropyInput input{Bytes(count)};
  if (is_virtual()) {
    for (auto& byte : input.bytes) byte = std::byte(seeded_.next());
  } else {
    world_.fill_random(input.bytes);
  }
  if (idle_)
    if (auto r = wake_for_input(); !r) return r;
  return append_and_deliver(input);
}

Result<void> LiveSession::append_and_deliver(const door::Input& input) {
  if (const auto* completion = std::get_if<door::DiskCompletionInput>(&input))
    if (outstanding_.place(*completion) == outstanding_.size()) return {};  // answered before; a request has one answer
  if (auto r = journal_.append({machine_.position(), input}); !r) return r;
  counters_.count(input);
  outstanding_.note(input);
  machine::SessionDoor::deliver(machine_, input);
  idle_ = false;
  if (std::holds_alternative<door::StopInput>(input)) stop_delivered_ = off_ = true;
  return emit_outputs();
}

Result<void> LiveSession::emit_outputs() {
  for (door::OutputAt& output : machine_.take_outputs())
    if (auto r = emit(std::move(output)); !r) return r;
  return {};
}

Result<void> LiveSession::emit(door::OutputAt output) {
  counters_.count(output.output);
  outstanding_.note(output);
  if (const auto* power = std::get_if<door::PowerOutput>(&output.output)) power_ = *power;
  return journal_.emit(std::move(output));
}

door::Position LiveSession::slice_end() const {
  const door::Position at = machine_.position();
  if (is_virtual()) return door::Position((at.value / kVirtualSlice + 1) * kVirtualSlice);
  return at + slice() + 2 * look();  // of a machine that does not look
}

u64 LiveSession::slice() const { return std::max(kLeastSlice, clock_.instructions_in(options_.slice_ns)); }
u64 LiveSession::look() const { return std::max(kLeastSlice, clock_.instructions_in(options_.look_ns)); }

EarlyStop LiveSession::early_stop() const {
  if (is_virtual()) return {};  // what arrives must not move the ends of slices
  return {.asked = world_.arrival(), .look_every = look(), .enough = (machine_.position() + slice()).value};
}

Result<void> LiveSession::mark_if_due() {
  const door::Position at = machine_.position();
  const door::VirtualNs now = machine_.now();
  const u64 passed_ns = now - mark_time_;
  if (at == mark_position_ || passed_ns < options_.mark_interval_ns) return {};
  if (passed_ns / 2 < options_.mark_interval_ns && !machine_.prepare_digest(early_stop())) return {};
  mark_position_ = at;
  mark_time_ = now;
  ++counters_.marks;
  return journal_.append({at, make_mark(machine_)});
}

RunReport LiveSession::report(Result<void> ended) {
  RunReport report;
  report.position = machine_.position();
  report.digest = machine_.digest();
  report.counters = counters_;
  report.counters.instructions = report.position - start_;
  report.engine = machine_.counters();
  if (power_) report.exit_code = power_->code;
  if (!ended) {
    report.error = std::move(ended.error());
    const bool divergence = report.error.kind == ErrorKind::kDivergence;
    report.reason = divergence ? StopReason::kDivergence : StopReason::kError;
  } else if (power_) {
    report.reason = power_->event == door::PowerEvent::kOff ? StopReason::kPowerOff : StopReason::kReset;
  } else {
    report.reason = StopReason::kStopped;
  }
  return report;
}

}  // namespace pollux::session
