#include "device/acpi_pm.h"

namespace pollux::device {
namespace {

constexpr u16 kTimerStatus = 1 << 0, kGlobalStatus = 1 << 5, kPowerButton = 1 << 8, kWake = 1 << 15;
// Enable bits that exist: timer, global, power button, sleep button, clock. The last two never have a status.
constexpr u16 kEnableBits = kTimerStatus | kGlobalStatus | kPowerButton | 1 << 9 | 1 << 10;
constexpr u16 kSciEnable = 1 << 0, kSleepEnable = 1 << 13;

}  // namespace

void AcpiPm::catch_up() {
  const u64 half = timer() >> 31;
  if (half == seen_half_) return;
  seen_half_ = half;
  status_ |= kTimerStatus;
}

void AcpiPm::update() {
  deadline_ = door::kNever;
  if (enable_ & kTimerStatus && !(status_ & kTimerStatus)) {
    const u128 next = u128((timer() >> 31) + 1) << 31;
    deadline_ = door::VirtualNs(u64((next * 1'000'000'000 + kTimerHz - 1) / kTimerHz));
  }
  host_.wake_board();
  sci_.set(status_ & enable_ & (kTimerStatus | kGlobalStatus | kPowerButton));
}

void AcpiPm::advance() {
  if (host_.now() < deadline_) return;
  catch_up();
  update();
}

void AcpiPm::press_power_button() {
  status_ |= kPowerButton;
  update();
}

u64 AcpiPm::read(u64 offset, unsigned size) {
  if (offset >= 8) return u64(u32(timer())) >> ((offset - 8) * 8);
  catch_up();
  const u64 all = u64(control_) << 32 | u64(enable_) << 16 | status_;
  return (all >> (offset * 8)) & (size >= 8 ? ~u64{0} : (u64{1} << (size * 8)) - 1);
}

void AcpiPm::write(u64 offset, unsigned size, u64 value) {
  catch_up();
  for (unsigned i = 0; i < size; ++i) {
    const u64 at = offset + i;
    const u16 byte = u16(value >> (i * 8) & 0xff);
    const unsigned shift = at & 1 ? 8 : 0;
    const auto replace = [&](u16& target) { target = u16((target & ~(0xff << shift)) | byte << shift); };
    if (at < 2) status_ &= u16(~(byte << shift));  // writing one clears
    else if (at < 4) replace(enable_);
    else if (at < 6) replace(control_);
  }
  enable_ &= kEnableBits;
  const bool sleeps = control_ & kSleepEnable;
  control_ = u16((control_ & ~kSleepEnable) | kSciEnable);
  if (sleeps) {
    if ((control_ >> 10 & 7) == off_type_) {
      host_.emit(door::PowerOutput{door::PowerEvent::kOff, 0});
    } else {
      status_ |= kWake;  // no other sleep state exists: the guest wakes at once
    }
  }
  update();
}

void AcpiPm::visit(Visitor& v) {
  v.field("status", status_);
  v.field("enable", enable_);
  v.field("control", control_);
  v.field("seen_half", seen_half_);
  v.field("deadline", deadline_);
}

}  // namespace pollux::device
