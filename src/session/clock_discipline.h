// Decides when a live session tells its machine the time, and how fast virtual time should run: a step function of
// the host's clock, the machine's virtual time and measured speed. Design section 4.
//
// Target: virtual time == what the host's clock has advanced since start(). Kept:
//  1. The virtual time sent is never below the machine's.
//  2. While the machine runs, virtual time jumps forward by at most max_jump_ns at once, and inputs are at least
//     min_interval_ns apart. A larger lag (the host was suspended) is made up in several jumps.
//  3. Where virtual time is ahead it is not set back: its rate is lowered until the host has caught up.
//  4. Nothing is sent while the difference is below tolerance_ns.
// All host times are World::now_ns. It sends nothing itself.
#pragma once

#include <optional>

#include "door/input.h"

namespace pollux::session {

struct ClockTuning {
  u64 tolerance_ns = 2'000'000;
  u64 min_interval_ns = 10'000'000;
  u64 max_jump_ns = 50'000'000;
  u64 initial_rate = u64{20} << 32;  // nanoseconds an instruction, 32.32 fixed point, before anything is measured
};

class ClockDiscipline {
 public:
  explicit ClockDiscipline(ClockTuning tuning = {});

  // At host_ns virtual time should be target.
  void start(u64 host_ns, door::VirtualNs target);

  // What virtual time should be at host_ns.
  door::VirtualNs target(u64 host_ns) const;
  // When, on the host's clock, the target is at least time; ~0 for kNever.
  u64 host_time_of(door::VirtualNs time) const;

  // The machine ran that many instructions in that much host time.
  void measure(u64 ran_ns, u64 instructions);
  // Nanoseconds an instruction, 32.32 fixed point, as measured; > 0.
  u64 rate() const { return rate_; }
  // Instructions that take about that long; >= 1.
  u64 instructions_in(u64 ns) const;

  // The machine runs and its virtual time is now.
  std::optional<door::ClockInput> running(u64 host_ns, door::VirtualNs now);
  // The machine is idle until idle_until and an input is about to wake it before. The jump is as long as the sleep.
  std::optional<door::ClockInput> woken(u64 host_ns, door::VirtualNs now, door::VirtualNs idle_until);

 private:
  ClockTuning tuning_;
  u64 start_host_ns_ = 0;
  door::VirtualNs start_target_;
  u64 rate_;
  u64 recent_ns_ = 0;                // what the estimate is made of
  u64 recent_instructions_ = 0;
  u64 unmeasured_ns_ = 0;            // too short to be a sample yet
  u64 unmeasured_instructions_ = 0;
  std::optional<u64> last_sent_ns_;
};

}  // namespace pollux::session
