#include "device/pic.h"

namespace pollux::device {
namespace {
constexpr unsigned kCascade = 2, kSpurious = 7;
}

Pic::Pic(PicPort& port) : port_(port) {
  for (u8 n = 0; n < 2; ++n) {
    controllers_[n].owner = this;
    controllers_[n].index = n;
  }
  controllers_[0].level_mask = 0xf8;  // not the timer, keyboard and cascade
  controllers_[1].level_mask = 0xde;  // not the clock and the coprocessor
  for (unsigned n = 0; n < 16; ++n) {
    inputs_[n].owner = this;
    inputs_[n].irq = n;
  }
}

void Pic::set_input(unsigned irq, bool raised) {
  controllers_[irq >> 3].set_input(irq & 7, raised);
  changed();
}

void Pic::changed() {
  controllers_[0].set_input(kCascade, controllers_[1].pending() >= 0);
  port_.pic_output(output());
}

u8 Pic::acknowledge() {
  u8 vector;
  if (controllers_[0].pending() == int(kCascade)) {
    controllers_[0].take();
    vector = controllers_[1].take();
  } else {
    vector = controllers_[0].take();
  }
  changed();
  return vector;
}

void Pic::Controller::set_input(unsigned n, bool raised) {
  const u8 bit = u8(1u << n);
  const bool was = levels & bit;
  if (raised) levels |= bit; else levels &= u8(~bit);
  const bool by_level = level_triggered & bit || (index == 0 && n == kCascade);
  if (by_level) {
    if (raised) requested |= bit; else requested &= u8(~bit);
  } else if (raised && !was) {
    requested |= bit;
  }
}

int Pic::Controller::pending() const {
  if (step != 0) return -1;
  unsigned limit = 8;  // only inputs of a better rank than the best one in service
  for (unsigned n = 0; n < 8; ++n) {
    const bool serviced = in_service >> n & 1;
    if (!serviced || (special_mask && mask >> n & 1)) continue;
    if (fully_nested_special && index == 0 && n == kCascade) {
      limit = std::min(limit, rank(n) + 1);
    } else {
      limit = std::min(limit, rank(n));
    }
  }
  int best = -1;
  for (unsigned n = 0; n < 8; ++n) {
    if (!((requested & ~mask) >> n & 1) || rank(n) >= limit) continue;
    if (best < 0 || rank(n) < rank(unsigned(best))) best = int(n);
  }
  return best;
}

u8 Pic::Controller::take() {
  const int n = pending();
  if (n < 0) return u8(vector_base + kSpurious);
  const u8 bit = u8(1u << n);
  const bool by_level = level_triggered & bit || (index == 0 && n == int(kCascade));
  if (!by_level) requested &= u8(~bit);
  in_service |= bit;
  if (auto_eoi) end(unsigned(n), rotate_on_auto_eoi);
  return u8(vector_base + n);
}

void Pic::Controller::end(unsigned n, bool rotate) {
  in_service &= u8(~(1u << n));
  if (rotate) lowest_priority = u8(n);
}

void Pic::Controller::write_command(u8 value) {
  if (value & 0x10) {  // ICW1
    step = 2;
    requested = in_service = mask = 0;
    lowest_priority = 7;
    needs_icw4 = value & 1;
    single = value & 2;
    auto_eoi = rotate_on_auto_eoi = special_mask = fully_nested_special = read_service = poll = false;
    return;
  }
  if (value & 0x08) {  // OCW3
    if (value & 0x04) poll = true;
    if (value & 0x02) read_service = value & 1;
    if (value & 0x40) special_mask = value & 0x20;
    return;
  }
  const unsigned named = value & 7;  // OCW2
  switch (value >> 5) {
    case 0: rotate_on_auto_eoi = false; break;
    case 4: rotate_on_auto_eoi = true; break;
    case 1:
    case 5: {  // of the best input in service
      int best = -1;
      for (unsigned n = 0; n < 8; ++n) {
        if (!(in_service >> n & 1) || (special_mask && mask >> n & 1)) continue;
        if (best < 0 || rank(n) < rank(unsigned(best))) best = int(n);
      }
      if (best >= 0) end(unsigned(best), value >> 5 == 5);
      break;
    }
    case 3: end(named, false); break;
    case 7: end(named, true); break;
    case 6: lowest_priority = u8(named); break;
    default: break;
  }
}

void Pic::Controller::write_data(u8 value) {
  switch (step) {
    case 0: mask = value; return;
    case 2:
      vector_base = value & 0xf8;
      step = single ? (needs_icw4 ? 4 : 0) : 3;
      return;
    case 3: step = needs_icw4 ? 4 : 0; return;
    default:
      fully_nested_special = value & 0x10;
      auto_eoi = value & 2;
      step = 0;
  }
}

u64 Pic::Controller::read(u64 offset, unsigned) {
  if (poll) {
    poll = false;
    const int n = pending();
    if (n < 0) return 0;
    take();
    owner->changed();
    return 0x80 | unsigned(n);
  }
  if (offset & 1) return mask;
  return read_service ? in_service : requested;
}

void Pic::Controller::write(u64 offset, unsigned, u64 value) {
  offset & 1 ? write_data(u8(value)) : write_command(u8(value));
  owner->changed();
}

void Pic::Controller::visit(Visitor& v) {
  for (u8* field : {&levels, &requested, &in_service, &mask, &level_triggered, &vector_base, &lowest_priority, &step}) {
    v.field("byte", *field);
  }
  for (bool* field : {&needs_icw4, &single, &auto_eoi, &rotate_on_auto_eoi, &special_mask, &fully_nested_special,
                      &read_service, &poll}) {
    v.field("mode", *field);
  }
}

void Pic::visit(Visitor& v) {
  v.component("first", controllers_[0]);
  v.component("second", controllers_[1]);
}

}  // namespace pollux::device
