#include "device/pit.h"

namespace pollux::device {

Pit::Pit(Host& host, IrqLine& irq) : host_(host), irq_(irq) { channels_[2].set_gate(false, 0); }

void Pit::plan() {
  const u64 rise = channels_[0].next_rise(tick());
  // The first nanosecond whose tick is `rise`.
  deadline_ = rise == PitChannel::kNoTick ? door::kNever
                                          : door::VirtualNs(u64((u128(rise) * 1'000'000'000 + kHz - 1) / kHz));
}

void Pit::advance() {
  if (host_.now() < deadline_) return;
  irq_.set(false);
  irq_.set(true);
  plan();
}

u64 Pit::Counters::read(u64 offset, unsigned) {
  if (offset == 3) return 0xff;  // the control word cannot be read
  return pit.channels_[offset & 3].read(pit.tick());
}

void Pit::Counters::write(u64 offset, unsigned, u64 value) {
  const u64 tick = pit.tick();
  if (offset != 3) {
    pit.channels_[offset & 3].write(u8(value), tick);
  } else if ((value >> 6 & 3) == 3) {  // read-back: bits 5 and 4 low select count and status
    for (unsigned n = 0; n < 3; ++n) {
      if (!(value >> (n + 1) & 1)) continue;
      if (!(value & 0x20)) pit.channels_[n].latch_count(tick);
      if (!(value & 0x10)) pit.channels_[n].latch_status(tick);
    }
    return;
  } else {
    PitChannel& channel = pit.channels_[value >> 6 & 3];
    if ((value >> 4 & 3) == 0) {
      channel.latch_count(tick);
      return;
    }
    channel.control(u8(value), tick);
  }
  const unsigned touched = offset != 3 ? unsigned(offset & 3) : unsigned(value >> 6 & 3);
  if (touched == 0) {
    if (!pit.channels_[0].output(tick)) pit.irq_.set(false);
    pit.plan();
    pit.host_.wake_board();
  }
}

// Bits: 0 gate of counter 2, 1 speaker, 4 refresh (toggles every 15.085 us), 5 output of counter 2.
u64 Pit::Gate::read(u64, unsigned) {
  const bool refresh = pit.host_.now().value / 15085 & 1;
  return u64(pit.channels_[2].gate()) | pit.speaker_ << 1 | refresh << 4 |
         pit.channels_[2].output(pit.tick()) << 5;
}

void Pit::Gate::write(u64, unsigned, u64 value) {
  pit.speaker_ = value >> 1 & 1;
  pit.channels_[2].set_gate(value & 1, pit.tick());
}

void Pit::visit(Visitor& v) {
  for (PitChannel& channel : channels_) v.component("channel", channel);
  v.field("speaker", speaker_);
  v.field("deadline", deadline_);
}

}  // namespace pollux::device
