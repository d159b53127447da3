#include "session/replay_session.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "session/mark.h"
#include "session/session_door.h"

namespace pollux::session {
namespace {

template <class... Value>
std::string text(const char* format, Value... values) {
  char line[512];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

}  // namespace

ReplaySession::ReplaySession(machine::Machine& machine, EntrySource& source, ReplayOptions options)
    : machine_(machine),
      source_(source),
      options_(std::move(options)),
      limit_(machine.position()),
      last_compared_(machine.position()),
      start_(machine.position()) {}

ReplayState ReplaySession::advance(u64 max_instructions) {
  u64 budget = max_instructions;
  while (!done_) {
    if (!entry_ && !fetch()) break;
    const door::Position known = entry_ ? entry_->position : limit_;
    const Reach reach = run_to(std::min(known, options_.until), budget);
    if (reach == Reach::kBudget) return ReplayState::kMore;
    if (reach == Reach::kStopped) break;
    if (known > options_.until) {
      finish(StopReason::kPositionReached);
    } else if (entry_) {
      const log::Entry entry = std::move(*entry_);
      entry_.reset();
      take_effect(entry);
    } else {
      return ReplayState::kWaiting;
    }
  }
  return ReplayState::kDone;
}

RunReport ReplaySession::run() {
  while (advance(~u64{0}) != ReplayState::kDone) {
  }
  return report();
}

RunReport ReplaySession::report() const {
  RunReport report = report_;
  report.position = machine_.position();
  report.digest = machine_.digest();
  report.counters.instructions = report.position - start_;
  report.engine = machine_.counters();
  return report;
}

bool ReplaySession::fetch() {
  Result<Next> next = source_.next();
  if (!next) {
    report_.error = std::move(next.error());
    finish(StopReason::kError);
    return false;
  }
  if (auto* entry = std::get_if<log::Entry>(&*next)) {
    if (entry->position < machine_.position()) {
      diverge(text("the log has an entry at position %" PRIu64 ", but the machine is at %" PRIu64 " already",
                   entry->position.value, machine_.position().value));
      return false;
    }
    entry_ = std::move(*entry);
  } else if (const auto* not_yet = std::get_if<NotYet>(&*next)) {
    limit_ = std::max({limit_, not_yet->reached, machine_.position()});
  } else {
    report_.warning = std::move(std::get<SourceEnd>(*next).warning);
    finish(StopReason::kLogEnd);
    return false;
  }
  return true;
}

ReplaySession::Reach ReplaySession::run_to(door::Position target, u64& budget) {
  while (machine_.position() < target) {
    if (budget == 0) return Reach::kBudget;
    const door::Position from = machine_.position();
    if (off_) {
      diverge(text("the machine stopped at position %" PRIu64 ", but the log goes on to position %" PRIu64, from.value,
                   target.value));
      return Reach::kStopped;
    }
    const machine::RunStop stop = machine_.run(from + std::min(budget, target - from));
    ++report_.counters.slices;
    drop_outputs();
    if (stop == machine::RunStop::kOff) off_ = true;
    if (stop == machine::RunStop::kIdle && machine_.position() < target) {
      if (machine_.idle_until() == door::kNever) {
        diverge(text("the machine is idle at position %" PRIu64 " with nothing to wake it, but the log goes on to "
                     "position %" PRIu64,
                     machine_.position().value, target.value));
        return Reach::kStopped;
      }
      machine_.skip_idle();
      ++report_.counters.skips;
      drop_outputs();
    }
    budget -= std::min(budget, std::max<u64>(1, machine_.position() - from));
  }
  return Reach::kThere;
}

void ReplaySession::take_effect(const log::Entry& entry) {
  if (const auto* input = std::get_if<door::Input>(&entry.body)) {
    const auto* completion = std::get_if<door::DiskCompletionInput>(input);
    if (completion && outstanding_.place(*completion) == outstanding_.size()) {
      diverge(text("the log completes request %" PRIu64 " of disk %u at position %" PRIu64
                   ", but the machine has no such request; they agreed at position %" PRIu64,
                   completion->request, completion->disk, entry.position.value, last_compared_.value));
      return;
    }
    report_.counters.count(*input);
    outstanding_.note(*input);
    if (const auto* date = std::get_if<door::WallClockInput>(input)) wall_clock_unix_ns_ = date->unix_ns;
    if (std::holds_alternative<door::StopInput>(*input)) stop_delivered_ = true;
    machine::SessionDoor::deliver(machine_, *input);
    drop_outputs();
  } else if (const auto* mark = std::get_if<log::Mark>(&entry.body)) {
    compare(*mark);
  } else if (const auto* end = std::get_if<log::End>(&entry.body)) {
    compare({end->digest, {}});
    if (done_) return;
    if (power_) report_.exit_code = power_->code;
    finish(power_            ? (power_->event == door::PowerEvent::kOff ? StopReason::kPowerOff : StopReason::kReset)
           : stop_delivered_ ? StopReason::kStopped
                             : StopReason::kLogEnd);
  }
  if (options_.on_entry) options_.on_entry(entry);
}

void ReplaySession::compare(const log::Mark& expected) {
  const u64 digest = machine_.digest();
  ++report_.counters.marks;
  if (digest != expected.digest) {
    const std::string where = different_components(machine_, expected);
    diverge(text("the machine differs from its log at position %" PRIu64 "%s%s: its digest is %016" PRIx64
                 ", the log's is %016" PRIx64 "; they agreed at position %" PRIu64,
                 machine_.position().value, where.empty() ? "" : " in ", where.c_str(), digest, expected.digest,
                 last_compared_.value));
    return;
  }
  last_compared_ = machine_.position();
}

void ReplaySession::drop_outputs() {
  for (const door::OutputAt& output : machine_.take_outputs()) {
    report_.counters.count(output.output);
    outstanding_.note(output);
    if (const auto* power = std::get_if<door::PowerOutput>(&output.output)) power_ = *power;
    if (options_.on_output) options_.on_output(output);
  }
}

void ReplaySession::finish(StopReason reason) {
  report_.reason = reason;
  done_ = true;
}

void ReplaySession::diverge(std::string sentence) {
  report_.error = Error{ErrorKind::kDivergence, std::move(sentence)};
  finish(StopReason::kDivergence);
}

}  // namespace pollux::session
