#include "device/rtc.h"

#include <algorithm>

namespace pollux::device {
namespace {

enum Register : u8 {
  kSeconds, kSecondsAlarm, kMinutes, kMinutesAlarm, kHours, kHoursAlarm, kWeekday, kDay, kMonth, kYear, kA, kB, kC, kD,
  kCentury = 0x32,
};
constexpr u8 kUpdateInProgress = 0x80;                                          // A
constexpr u8 kSet = 0x80, kPeriodic = 0x40, kAlarm = 0x20, kUpdate = 0x10;      // B and C
constexpr u8 kBinary = 0x04, k24Hours = 0x02;                                   // B
constexpr u8 kInterrupts = kPeriodic | kAlarm | kUpdate;
constexpr u8 kRequest = 0x80;                                                   // C
constexpr u8 kPm = 0x80;                                                        // hours, 12-hour mode
constexpr u64 kSecondNs = 1'000'000'000, kUpdateNs = 244'000, kDaySeconds = 86400;

bool is_date(u8 index) { return index <= kYear && index != kSecondsAlarm && index != kMinutesAlarm && index != kHoursAlarm; }

}  // namespace

Rtc::Rtc(Host& host, IrqLine& irq) : host_(host), irq_(irq) {
  memory_[kA] = 0x26;  // 32768 Hz, periodic rate 1024 Hz
  memory_[kB] = k24Hours;
  memory_[kD] = 0x80;  // the battery is good
}

void Rtc::set_wall_clock(u64 unix_ns) {
  offset_ns_ = unix_ns;
  update();
}

u8 Rtc::encode(u8 value) const { return memory_[kB] & kBinary ? value : u8(value / 10 << 4 | value % 10); }
u8 Rtc::decode(u8 value) const { return memory_[kB] & kBinary ? value : u8((value >> 4) * 10 + (value & 15)); }

void Rtc::show(u64 unix_seconds) {
  const Date date = date_of(unix_seconds);
  u8 hour = encode(u8(date.hour));
  if (!(memory_[kB] & k24Hours)) hour = u8(encode(u8((date.hour + 11) % 12 + 1)) | (date.hour >= 12 ? kPm : 0));
  memory_[kSeconds] = encode(u8(date.second));
  memory_[kMinutes] = encode(u8(date.minute));
  memory_[kHours] = hour;
  memory_[kWeekday] = encode(u8(date.weekday));
  memory_[kDay] = encode(u8(date.day));
  memory_[kMonth] = encode(u8(date.month));
  memory_[kYear] = encode(u8(date.year % 100));
  memory_[kCentury] = encode(u8(date.year / 100));
}

u64 Rtc::shown() const {
  Date date;
  date.second = decode(memory_[kSeconds]);
  date.minute = decode(memory_[kMinutes]);
  const u8 hour = memory_[kHours];
  date.hour = memory_[kB] & k24Hours ? decode(hour) : decode(hour & 0x7f) % 12 + (hour & kPm ? 12u : 0u);
  date.day = decode(memory_[kDay]);
  date.month = decode(memory_[kMonth]);
  date.year = decode(memory_[kYear]) + 100u * decode(memory_[kCentury]);
  return seconds_of(date);
}

u64 Rtc::period_ns() const {
  const unsigned rate = memory_[kA] & 15;
  if (rate == 0) return 0;
  return (kSecondNs << ((rate < 3 ? rate + 7 : rate) - 1)) / 32768;
}

bool Rtc::alarm_matches(u64 unix_seconds) const {
  const u64 second = unix_seconds % kDaySeconds;
  const auto field = [this](u8 alarm, u64 value) { return (alarm & 0xc0) == 0xc0 || decode(alarm) == value; };
  const u8 hour = memory_[kHoursAlarm];
  bool hour_matches = field(hour, second / 3600);
  if (!(memory_[kB] & k24Hours) && (hour & 0xc0) != 0xc0) {
    hour_matches = decode(hour & 0x7f) % 12 + (hour & kPm ? 12u : 0u) == second / 3600;
  }
  return field(memory_[kSecondsAlarm], second % 60) && field(memory_[kMinutesAlarm], second / 60 % 60) && hour_matches;
}

u64 Rtc::next_alarm(u64 unix_seconds) const {
  for (u64 after = 1; after <= kDaySeconds; ++after) {
    if (alarm_matches(unix_seconds + after)) return unix_seconds + after;
  }
  return 0;
}

void Rtc::catch_up() {
  const u64 now = host_.now().value, before = seen_ns_;
  seen_ns_ = now;
  u8& flags = memory_[kC];
  if (const u64 period = period_ns(); period != 0 && now / period > before / period) flags |= kPeriodic;
  if (held()) return;
  const u64 first = (before + offset_ns_) / kSecondNs, last = (now + offset_ns_) / kSecondNs;
  if (last <= first) return;
  flags |= kUpdate;
  if (flags & kAlarm) return;
  for (u64 second = first + 1; second <= std::min(last, first + kDaySeconds); ++second) {
    if (alarm_matches(second)) {
      flags |= kAlarm;
      break;
    }
  }
}

void Rtc::update() {
  u8& flags = memory_[kC];
  const u8 enabled = memory_[kB] & kInterrupts;
  flags = u8(flags & kInterrupts) | (flags & enabled ? kRequest : 0);
  irq_.set(flags & kRequest);

  deadline_ = door::kNever;
  if (!(flags & kRequest)) {  // else the line is up: nothing more happens before register C is read
    const u64 now = host_.now().value;
    const auto sooner = [this](u64 time) { deadline_ = std::min(deadline_, door::VirtualNs(time)); };
    const u64 period = period_ns();
    if (enabled & kPeriodic && period != 0) sooner((now / period + 1) * period);
    if (enabled & (kUpdate | kAlarm) && !held()) {
      const u64 second = unix_ns() / kSecondNs;
      if (enabled & kUpdate) sooner((second + 1) * kSecondNs - offset_ns_);
      if (const u64 alarm = enabled & kAlarm ? next_alarm(second) : 0) sooner(alarm * kSecondNs - offset_ns_);
    }
  }
  host_.wake_board();
}

void Rtc::advance() {
  if (host_.now() < deadline_) return;
  catch_up();
  update();
}

// Readings within a tenth of a second belong together: a kernel reads until two agree.
void Rtc::wait_for_half_past() {
  const u64 now = host_.now().value;
  const bool again = slow_reads_left_ < kSlowReads && now - slow_read_ns_ < kSecondNs / 10;
  if (held() || slow_reads_left_ == 0 || again) return;
  --slow_reads_left_;
  host_.pass_time((kSecondNs + kSecondNs / 2 - unix_ns() % kSecondNs) % kSecondNs);
  slow_read_ns_ = host_.now().value;
}

u8 Rtc::read_register(u8 index) {
  if (index == kSeconds) wait_for_half_past();
  if (is_date(index) || index == kCentury) {
    if (!held()) show(unix_ns() / kSecondNs);
    return memory_[index];
  }
  switch (index) {
    case kA: {
      const bool updating = !held() && unix_ns() % kSecondNs >= kSecondNs - kUpdateNs;
      return memory_[kA] | (updating ? kUpdateInProgress : 0);
    }
    case kC: {
      catch_up();
      update();
      const u8 flags = memory_[kC];
      memory_[kC] = 0;
      update();
      return flags;
    }
    default: return memory_[index];
  }
}

void Rtc::write_register(u8 index, u8 value) {
  catch_up();
  if (is_date(index) || index == kCentury) {
    if (held()) {
      memory_[index] = value;
    } else {
      const u64 now = unix_ns();
      show(now / kSecondNs);
      memory_[index] = value;
      offset_ns_ = shown() * kSecondNs + now % kSecondNs - host_.now().value;
    }
  } else if (index == kB) {
    if (!held()) show(unix_ns() / kSecondNs);
    const bool was_held = held();
    if (was_held && !(value & kSet)) {
      // The date begins to run half a second before its first update, as the chip's divider does after a reset of it.
      const u64 seconds = shown();
      memory_[kB] = value;
      offset_ns_ = seconds * kSecondNs + kSecondNs / 2 - host_.now().value;
    } else {
      memory_[kB] = value & kSet ? u8(value & ~kUpdate) : value;
    }
    if (!held()) show(unix_ns() / kSecondNs);
  } else if (index == kA) {
    memory_[kA] = value & 0x7f;
  } else if (index != kC && index != kD) {
    memory_[index] = value;
  }
  update();
}

u64 Rtc::read(u64 offset, unsigned) { return offset & 1 ? read_register(index_) : 0xff; }

void Rtc::write(u64 offset, unsigned, u64 value) {
  if (offset & 1) write_register(index_, u8(value)); else index_ = value & 0x7f;
}

void Rtc::visit(Visitor& v) {
  v.field("index", index_);
  v.field("memory", memory_);
  v.field("offset_ns", offset_ns_);
  v.field("slow_reads_left", slow_reads_left_);
  v.field("slow_read_ns", slow_read_ns_);
  v.field("seen_ns", seen_ns_);
  v.field("deadline", deadline_);
}

}  // namespace pollux::device
