#include "device/pit_channel.h"

#include <utility>

namespace pollux::device {
namespace {

u16 to_bcd(u64 n) { return u16(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10); }
u32 from_bcd(u32 n) { return (n >> 12) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 + (n & 15); }

}  // namespace

void PitChannel::control(u8 word, u64) {
  access_ = word >> 4 & 3;
  mode_ = word >> 1 & 7;
  if (mode_ > 5) mode_ &= 3;  // 6 and 7 are 2 and 3
  bcd_ = word & 1;
  loaded_ = running_ = false;
  write_high_ = read_high_ = count_latched_ = status_latched_ = false;
  paused_at_ = kNoTick;
}

u64 PitChannel::elapsed(u64 tick) const { return paused_at_ != kNoTick ? paused_at_ : tick - started_; }

void PitChannel::start(u64 tick) {
  running_ = true;
  started_ = tick;
  const bool gated = mode_ != 1 && mode_ != 5;
  paused_at_ = gated && !gate_ ? 0 : kNoTick;
}

void PitChannel::write(u8 value, u64 tick) {
  u32 count = 0;
  if (access_ == 1) {
    count = value;
  } else if (access_ == 2) {
    count = u32(value) << 8;
  } else if (!write_high_) {
    written_low_ = value;
    write_high_ = true;
    return;
  } else {
    write_high_ = false;
    count = u32(value) << 8 | written_low_;
  }
  reload_ = bcd_ ? from_bcd(count) : count;
  loaded_ = true;
  if (mode_ != 1 && mode_ != 5) start(tick);
}

void PitChannel::set_gate(bool open, u64 tick) {
  if (open == gate_) return;
  gate_ = open;
  if (!loaded_) return;
  switch (mode_) {
    case 1:
    case 5:
      if (open) start(tick);
      break;
    case 2:
    case 3:
      if (open) start(tick); else paused_at_ = 0;  // a closed gate holds the output high, opening it starts a period
      break;
    default:
      if (open) {
        started_ = tick - paused_at_;
        paused_at_ = kNoTick;
      } else {
        paused_at_ = tick - started_;
      }
  }
}

bool PitChannel::output(u64 tick) const {
  if (!running_) return mode_ != 0;
  const u64 n = full_count(), gone = elapsed(tick);
  switch (mode_) {
    case 0:
    case 1: return gone >= n;
    case 2: return n < 2 || gone % n != n - 1;
    case 3: return gone % n < (n + 1) / 2;
    default: return gone != n;
  }
}

u64 PitChannel::next_rise(u64 tick) const {
  if (!running_ || paused_at_ != kNoTick) return kNoTick;
  const u64 n = full_count(), gone = tick - started_;
  switch (mode_) {
    case 0:
    case 1: return gone < n ? started_ + n : kNoTick;
    case 2:
    case 3: return started_ + (gone / n + 1) * n;
    default: return gone < n + 1 ? started_ + n + 1 : kNoTick;
  }
}

u16 PitChannel::count(u64 tick) const {
  const u64 n = full_count();
  const u64 wrap = bcd_ ? 10000 : 0x10000;
  u64 left;
  if (!running_) {
    left = n;
  } else {
    const u64 gone = elapsed(tick);
    switch (mode_) {
      case 2: left = n - gone % n; break;
      case 3: left = n - 2 * gone % n; break;
      default: left = (n % wrap + wrap - gone % wrap) % wrap;
    }
  }
  left %= wrap;
  return bcd_ ? to_bcd(left) : u16(left);
}

void PitChannel::latch_count(u64 tick) {
  if (count_latched_) return;
  latched_count_ = count(tick);
  count_latched_ = true;
}

void PitChannel::latch_status(u64 tick) {
  if (status_latched_) return;
  latched_status_ = u8(output(tick) << 7 | !loaded_ << 6 | access_ << 4 | mode_ << 1 | bcd_);
  status_latched_ = true;
}

u8 PitChannel::read(u64 tick) {
  if (std::exchange(status_latched_, false)) return latched_status_;
  const u16 value = count_latched_ ? latched_count_ : count(tick);
  if (access_ == 3) {
    const bool high = read_high_;
    read_high_ = !read_high_;
    if (high) count_latched_ = false;
    return high ? u8(value >> 8) : u8(value);
  }
  count_latched_ = false;
  return access_ == 2 ? u8(value >> 8) : u8(value);
}

void PitChannel::visit(Visitor& v) {
  v.field("mode", mode_);
  v.field("access", access_);
  for (bool* flag : {&bcd_, &loaded_, &running_, &gate_, &write_high_, &read_high_, &count_latched_, &status_latched_}) {
    v.field("flag", *flag);
  }
  v.field("written_low", written_low_);
  v.field("reload", reload_);
  v.field("started", started_);
  v.field("paused_at", paused_at_);
  v.field("latched_count", latched_count_);
  v.field("latched_status", latched_status_);
}

}  // namespace pollux::device
