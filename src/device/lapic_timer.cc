// The local APIC's timer: one-shot, periodic and TSC-deadline (SDM vol. 3, 11.5.4). It counts at 1 GHz before the
// divider, so a count of one at divider one is a virtual nanosecond; the time-stamp counter is virtual nanoseconds.
#include "device/lapic.h"

namespace pollux::device {
namespace {
enum Mode : u32 { kOneShot = 0, kPeriodic = 1, kTscDeadline = 2 };
}

u64 Lapic::timer_divider() const {
  const u32 code = (timer_divide_ & 3) | (timer_divide_ >> 1 & 4);
  return code == 7 ? 1 : u64{2} << code;
}

// Counts left; the last one ends at the deadline.
u32 Lapic::timer_count() const {
  if (timer_mode() == kTscDeadline || timer_deadline_ == door::kNever) return 0;
  const door::VirtualNs now = host_.now();
  if (now >= timer_deadline_) return 0;
  const u64 divider = timer_divider();
  return u32((timer_deadline_ - now + divider - 1) / divider);
}

void Lapic::set_deadline(door::VirtualNs deadline) {
  timer_deadline_ = deadline;
  host_.wake_board();
}

void Lapic::start_timer(u32 count) {
  timer_initial_ = count;
  set_deadline(count == 0 ? door::kNever : host_.now() + count * timer_divider());
}

void Lapic::advance() {
  const door::VirtualNs now = host_.now();
  if (now < timer_deadline_) return;
  if (timer_mode() == kPeriodic) {
    // Periods that passed in one jump of time are one interrupt.
    const u64 period = timer_initial_ * timer_divider();
    timer_deadline_ += ((now - timer_deadline_) / period + 1) * period;
  } else {
    timer_deadline_ = door::kNever;
    tsc_deadline_ = 0;
  }
  raise_lvt(kTimer);
}

}  // namespace pollux::device
