// Acceptance, priorities and the registers. The timer is in lapic_timer.cc.
#include "device/lapic.h"

#include <bit>

namespace pollux::device {
namespace {

// Register numbers: offset in device memory / 16, and the low byte of the x2APIC register.
enum Register : u32 {
  kId = 0x02, kVersion = 0x03, kTpr = 0x08, kApr = 0x09, kPpr = 0x0a, kEoi = 0x0b, kRrd = 0x0c, kLdr = 0x0d,
  kDfr = 0x0e, kSvr = 0x0f, kIsr = 0x10, kTmr = 0x18, kIrr = 0x20, kEsr = 0x28, kCmci = 0x2f, kIcrLow = 0x30,
  kIcrHigh = 0x31, kLvtTimer = 0x32, kLvtThermal = 0x33, kLvtPerformance = 0x34, kLvtLint0 = 0x35, kLvtLint1 = 0x36,
  kLvtError = 0x37, kTimerInitial = 0x38, kTimerCurrent = 0x39, kTimerDivide = 0x3e, kSelfIpi = 0x3f,
};
constexpr u32 kVersionValue = 0x14 | 5 << 16;  // integrated, six LVT entries
constexpr u32 kSendIllegalVector = 1 << 5, kReceiveIllegalVector = 1 << 6, kIllegalRegister = 1 << 7;

void set_bit(std::array<u32, 8>& bits, u8 vector) { bits[vector >> 5] |= u32{1} << (vector & 31); }
void clear_bit(std::array<u32, 8>& bits, u8 vector) { bits[vector >> 5] &= ~(u32{1} << (vector & 31)); }
bool test_bit(const std::array<u32, 8>& bits, u8 vector) { return bits[vector >> 5] >> (vector & 31) & 1; }
int highest(const std::array<u32, 8>& bits) {
  for (int word = 7; word >= 0; --word) {
    if (bits[word]) return word * 32 + 31 - std::countl_zero(bits[word]);
  }
  return -1;
}

}  // namespace

Lapic::Lapic(Host& host, LapicPort& port, u8 id)
    : host_(host), port_(port), id_(id), apic_base_(0xfee0'0000 | kBaseEnable | (id == 0 ? kBaseBsp : 0)) {
  reset_registers();
}

void Lapic::reset_registers() {
  id_register_ = id_ << 24;
  tpr_ = logical_destination_ = error_ = error_latched_ = 0;
  destination_format_ = ~u32{0};
  spurious_ = 0xff;
  icr_ = 0;
  lvt_.fill(kLvtMasked);
  requested_ = in_service_ = level_ = {};
  timer_initial_ = timer_divide_ = 0;
  tsc_deadline_ = 0;
  timer_deadline_ = door::kNever;
}

void Lapic::set_virtual_wire() {
  spurious_ = kSoftwareEnable | 0xff;
  lvt_[kLint0] = u32(Delivery::kExtInt) << 8;
  lvt_[kLint1] = u32(Delivery::kNmi) << 8;
}

void Lapic::init() {
  reset_registers();
  host_.wake_board();
  port_.presents_changed();
}

// ---- acceptance ----

bool Lapic::addressed_by(const InterruptMessage& m) const {
  if (!enabled()) return false;
  if (m.destination == (m.x2apic ? ~u32{0} : u32{0xff})) return true;
  if (!m.logical) return m.destination == id_;
  if (x2apic()) {
    // A message from an 8-bit source reaches cluster 0 only.
    const u32 destination = m.destination;
    return (destination >> 16) == (id_ >> 4) && (destination >> (id_ & 15) & 1);
  }
  const u32 mine = logical_destination_ >> 24;
  if (destination_format_ >> 28 == 0xf) return mine & m.destination;
  return (mine >> 4) == (m.destination >> 4) && (mine & m.destination & 0xf);
}

void Lapic::accept(Delivery delivery, u8 vector, Trigger trigger) {
  switch (delivery) {
    case Delivery::kNmi:
    case Delivery::kInit:
    case Delivery::kStartup:
      port_.signal(delivery, vector);
      return;
    case Delivery::kFixed:
    case Delivery::kLowest:
      break;
    default:
      return;  // SMI does not exist here; ExtINT comes by set_lint0
  }
  if (!software_enabled()) return;
  if (vector < 16) return report_error(kReceiveIllegalVector);
  set_bit(requested_, vector);
  trigger == Trigger::kLevel ? set_bit(level_, vector) : clear_bit(level_, vector);
  port_.presents_changed();
}

u8 Lapic::processor_priority() const {
  const int serviced = highest(in_service_);
  const u32 serviced_class = serviced < 0 ? 0 : u32(serviced) & 0xf0;
  return u8((tpr_ & 0xf0) >= serviced_class ? tpr_ : serviced_class);
}

bool Lapic::presents() const {
  if (!enabled()) return false;
  const int vector = highest(requested_);
  return vector >= 0 && (vector & 0xf0) > (processor_priority() & 0xf0);
}

u8 Lapic::take() {
  if (!presents()) return u8(spurious_);
  const u8 vector = u8(highest(requested_));
  clear_bit(requested_, vector);
  set_bit(in_service_, vector);
  port_.presents_changed();
  return vector;
}

void Lapic::end_of_interrupt() {
  const int vector = highest(in_service_);
  if (vector < 0) return;
  clear_bit(in_service_, u8(vector));
  if (test_bit(level_, u8(vector))) port_.end_of_interrupt(u8(vector));
  port_.presents_changed();
}

bool Lapic::takes_external() const {
  if (!enabled()) return true;
  return !(lvt_[kLint0] & kLvtMasked) && Delivery(lvt_[kLint0] >> 8 & 7) == Delivery::kExtInt;
}

void Lapic::set_lint0(bool raised) {
  const bool rose = raised && !lint0_;
  lint0_ = raised;
  if (rose && enabled() && !takes_external()) raise_lvt(kLint0);
}

void Lapic::raise_lvt(Lvt which) {
  const u32 entry = lvt_[which];
  if (entry & kLvtMasked) return;
  const Delivery delivery = which == kTimer || which == kError ? Delivery::kFixed : Delivery(entry >> 8 & 7);
  accept(delivery, u8(entry), Trigger::kEdge);
}

void Lapic::report_error(u32 bit) {
  error_latched_ |= bit;
  const u32 entry = lvt_[kError];
  // A bad vector in the error entry itself must not report itself for ever.
  if (!(entry & kLvtMasked) && (entry & 0xff) >= 16) raise_lvt(kError);
}

void Lapic::set_task_priority(u64 cr8) {
  tpr_ = u32(cr8 & 0xf) << 4;
  port_.presents_changed();
}

// ---- registers ----

std::optional<u32> Lapic::read_register(u32 index) {
  if (index >= kIsr && index < kIsr + 8) return in_service_[index - kIsr];
  if (index >= kTmr && index < kTmr + 8) return level_[index - kTmr];
  if (index >= kIrr && index < kIrr + 8) return requested_[index - kIrr];
  switch (index) {
    case kId: return x2apic() ? id_ : id_register_;
    case kVersion: return kVersionValue;
    case kTpr: return tpr_;
    case kApr: return 0;
    case kPpr: return processor_priority();
    case kRrd: return 0;
    case kLdr: return x2apic() ? (id_ >> 4) << 16 | u32{1} << (id_ & 15) : logical_destination_;
    case kDfr: return destination_format_;
    case kSvr: return spurious_;
    case kEsr: return error_;
    case kIcrLow: return u32(icr_);
    case kIcrHigh: return u32(icr_ >> 32);
    case kLvtTimer: return lvt_[kTimer];
    case kLvtThermal: return lvt_[kThermal];
    case kLvtPerformance: return lvt_[kPerformance];
    case kLvtLint0: return lvt_[kLint0];
    case kLvtLint1: return lvt_[kLint1];
    case kLvtError: return lvt_[kError];
    case kTimerInitial: return timer_mode() == 2 ? 0 : timer_initial_;
    case kTimerCurrent: return timer_count();
    case kTimerDivide: return timer_divide_;
    default: return std::nullopt;
  }
}

bool Lapic::write_register(u32 index, u32 value) {
  switch (index) {
    case kId: id_register_ = value & 0xff00'0000; return true;
    case kTpr: tpr_ = value & 0xff; port_.presents_changed(); return true;
    case kEoi: end_of_interrupt(); return true;
    case kLdr: logical_destination_ = value & 0xff00'0000; return true;
    case kDfr: destination_format_ = value | 0x0fff'ffff; return true;
    case kSvr:
      spurious_ = value & 0x3ff;
      if (!software_enabled()) {
        for (u32& entry : lvt_) entry |= kLvtMasked;
      }
      port_.presents_changed();
      return true;
    case kEsr: error_ = std::exchange(error_latched_, 0); return true;
    case kIcrLow: write_icr((icr_ & ~u64{0xffff'ffff}) | value); return true;
    case kIcrHigh: icr_ = u64(value) << 32 | u32(icr_); return true;
    case kLvtTimer: write_lvt(kTimer, value & 0x700ff); return true;
    case kLvtThermal: write_lvt(kThermal, value & 0x107ff); return true;
    case kLvtPerformance: write_lvt(kPerformance, value & 0x107ff); return true;
    case kLvtLint0: write_lvt(kLint0, value & 0x1a7ff); return true;
    case kLvtLint1: write_lvt(kLint1, value & 0x1a7ff); return true;
    case kLvtError: write_lvt(kError, value & 0x100ff); return true;
    case kTimerInitial: if (timer_mode() != 2) start_timer(value); return true;
    case kTimerDivide: {
      const u32 left = timer_count();
      timer_divide_ = value & 0xb;
      if (timer_mode() != 2 && timer_deadline_ != door::kNever) set_deadline(host_.now() + left * timer_divider());
      return true;
    }
    default: return false;
  }
}

void Lapic::write_lvt(Lvt which, u32 value) {
  if (!software_enabled()) value |= kLvtMasked;
  const bool disarm = which == kTimer && (value >> 17 & 3) != timer_mode() && ((value >> 17 & 3) == 2 || timer_mode() == 2);
  lvt_[which] = value;
  if (disarm) {  // entering or leaving TSC-deadline mode
    tsc_deadline_ = 0;
    timer_initial_ = 0;
    set_deadline(door::kNever);
  }
  port_.presents_changed();
}

void Lapic::write_icr(u64 value) {
  icr_ = value & ~u64{1 << 12};  // delivery status: always idle
  InterruptMessage m;
  m.vector = u8(value);
  m.delivery = Delivery(value >> 8 & 7);
  m.logical = value >> 11 & 1;
  m.x2apic = x2apic();
  m.destination = m.x2apic ? u32(value >> 32) : u32(value >> 56);
  m.shorthand = Shorthand(value >> 18 & 3);
  const bool assert_level = value >> 14 & 1;
  if (m.delivery == Delivery::kInit && !assert_level) return;  // INIT de-assert: of no effect on these processors
  if ((m.delivery == Delivery::kFixed || m.delivery == Delivery::kLowest) && m.vector < 16) {
    return report_error(kSendIllegalVector);
  }
  port_.send(m);
}

u64 Lapic::read(u64 offset, unsigned size) {
  const u32 value = read_register(u32(offset >> 4)).value_or(0);
  const u32 within = offset & 0xf;
  if (within >= 4) return 0;
  const u64 shifted = u64(value) >> (within * 8);
  return size >= 8 ? shifted : shifted & ((u64{1} << (size * 8)) - 1);
}

void Lapic::write(u64 offset, unsigned size, u64 value) {
  if (offset & 0xf || size < 4) return;  // undefined by the manual: vanishes
  if (!write_register(u32(offset >> 4), u32(value))) report_error(kIllegalRegister);
}

std::optional<u64> Lapic::msr_read(u32 index) {
  if (index == kMsrApicBase) return apic_base_;
  if (index == kMsrTscDeadline) return tsc_deadline_;
  if (!x2apic()) return std::nullopt;
  const u32 which = index - kMsrX2First;
  if (which == kIcrLow) return icr_;
  if (which == kIcrHigh || which == kDfr || which == kEoi || which == kRrd || which == kApr) return std::nullopt;
  const std::optional<u32> value = read_register(which);
  if (!value) return std::nullopt;
  return *value;
}

bool Lapic::msr_write(u32 index, u64 value) {
  if (index == kMsrApicBase) {
    const u64 allowed = kBaseBsp | kBaseX2apic | kBaseEnable | 0xff'ffff'f000;
    const bool to_enable = value & kBaseEnable, to_x2 = value & kBaseX2apic;
    if (value & ~allowed || (to_x2 && !to_enable)) return false;
    if (x2apic() && to_enable && !to_x2) return false;  // SDM vol. 3, figure 11-27: only through disabled
    if (!enabled() && to_x2) return false;
    const bool disables = enabled() && !to_enable;
    apic_base_ = value;
    if (disables) init();
    host_.wake_board();
    port_.presents_changed();
    return true;
  }
  if (index == kMsrTscDeadline) {
    if (timer_mode() != 2) return true;  // ignored
    tsc_deadline_ = value;
    set_deadline(value == 0 ? door::kNever : door::VirtualNs(value));
    return true;
  }
  if (!x2apic()) return false;
  const u32 which = index - kMsrX2First;
  if (which == kIcrLow) {
    write_icr(value);
    return true;
  }
  if (which == kSelfIpi) {
    if (value >> 8) return false;
    accept(Delivery::kFixed, u8(value), Trigger::kEdge);
    return true;
  }
  if (value >> 32) return false;
  switch (which) {
    case kId: case kVersion: case kPpr: case kLdr: case kDfr: case kIcrHigh: case kTimerCurrent: return false;
    case kEoi: case kEsr: if (value != 0) return false; break;
    case kTpr: if (value >> 8) return false; break;
    default: break;
  }
  return write_register(which, u32(value));
}

void Lapic::visit(Visitor& v) {
  v.field("apic_base", apic_base_);
  v.field("id", id_register_);
  v.field("tpr", tpr_);
  v.field("ldr", logical_destination_);
  v.field("dfr", destination_format_);
  v.field("svr", spurious_);
  v.field("esr", error_);
  v.field("esr_latched", error_latched_);
  v.field("icr", icr_);
  v.field("lvt", lvt_);
  v.field("irr", requested_);
  v.field("isr", in_service_);
  v.field("tmr", level_);
  v.field("timer_initial", timer_initial_);
  v.field("timer_divide", timer_divide_);
  v.field("tsc_deadline", tsc_deadline_);
  v.field("timer_deadline", timer_deadline_);
  v.field("lint0", lint0_);
}

}  // namespace pollux::device
