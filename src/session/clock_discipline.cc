#include "session/clock_discipline.h"

#include <algorithm>

namespace pollux::session {
namespace {

constexpr u64 kSampleInstructions = 10'000;       // shorter runs are collected first: their timing is mostly noise
constexpr u64 kMemoryNs = 100'000'000;            // the estimate forgets over about this much running time
constexpr u64 kSlewNs = 20'000'000;               // a lead is taken back over about this long
constexpr u64 kSlowestRate = u64{4000} << 32;     // bounds of the estimate: 250 thousand instructions a second ...
constexpr u64 kFastestRate = (u64{1} << 32) / 20;  // ... to 20 thousand million

u64 multiply(u64 a, u64 b, u64 divide_by) { return u64(u128(a) * b / divide_by); }

}  // namespace

ClockDiscipline::ClockDiscipline(ClockTuning tuning) : tuning_(tuning), rate_(tuning.initial_rate) {}

void ClockDiscipline::start(u64 host_ns, door::VirtualNs target) {
  start_host_ns_ = host_ns;
  start_target_ = target;
}

door::VirtualNs ClockDiscipline::target(u64 host_ns) const {
  return start_target_ + (host_ns > start_host_ns_ ? host_ns - start_host_ns_ : 0);
}

u64 ClockDiscipline::host_time_of(door::VirtualNs time) const {
  if (time <= start_target_) return start_host_ns_;
  const u64 later = time - start_target_;
  return later > ~u64{0} - start_host_ns_ ? ~u64{0} : start_host_ns_ + later;
}

void ClockDiscipline::measure(u64 ran_ns, u64 instructions) {
  unmeasured_ns_ += ran_ns;
  unmeasured_instructions_ += instructions;
  if (unmeasured_instructions_ < kSampleInstructions) return;
  // All recent time over all recent instructions. A mean of the samples' rates would count the time in which the host
  // ran something else far too often, and virtual time would run away.
  recent_ns_ += std::min(unmeasured_ns_, u64{1} << 31);
  recent_instructions_ += unmeasured_instructions_;
  while (recent_ns_ > kMemoryNs && recent_instructions_ > kSampleInstructions) {
    recent_ns_ /= 2;
    recent_instructions_ /= 2;
  }
  // One sample moves the estimate by a factor of two at most.
  const u64 measured = u64((u128(recent_ns_) << 32) / recent_instructions_);
  rate_ = std::clamp(std::clamp(measured, rate_ / 2, rate_ * 2), kFastestRate, kSlowestRate);
  unmeasured_ns_ = 0;
  unmeasured_instructions_ = 0;
}

u64 ClockDiscipline::instructions_in(u64 ns) const {
  return std::max<u64>(1, u64((u128(ns) << 32) / rate_));
}

std::optional<door::ClockInput> ClockDiscipline::running(u64 host_ns, door::VirtualNs now) {
  if (last_sent_ns_ && host_ns < *last_sent_ns_ + tuning_.min_interval_ns) return std::nullopt;
  const door::VirtualNs aim = target(host_ns);
  door::ClockInput input{now, rate_};
  if (aim > now) {
    const u64 lag_ns = aim - now;
    if (lag_ns < tuning_.tolerance_ns) return std::nullopt;
    input.now = now + std::min(lag_ns, tuning_.max_jump_ns);
  } else {
    const u64 lead_ns = now - aim;
    if (lead_ns < tuning_.tolerance_ns) return std::nullopt;
    const u64 slower_by = std::min(lead_ns, kSlewNs * 63 / 64);
    input.rate = std::max<u64>(1, multiply(rate_, kSlewNs - slower_by, kSlewNs));
  }
  last_sent_ns_ = host_ns;
  return input;
}

std::optional<door::ClockInput> ClockDiscipline::woken(u64 host_ns, door::VirtualNs now, door::VirtualNs idle_until) {
  const door::VirtualNs aim = std::min(target(host_ns), idle_until);
  // A short nap needs no input: the difference is corrected, if it grows, while the machine runs.
  if (aim < now + tuning_.tolerance_ns / 4) return std::nullopt;
  last_sent_ns_ = host_ns;
  return door::ClockInput{aim, rate_};
}

}  // namespace pollux::session
