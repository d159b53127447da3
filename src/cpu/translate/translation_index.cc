#include "cpu/translate/translation_index.h"

#include <utility>

#include "base/check.h"
#include "cpu/translate/translation_cache.h"

namespace pollux::cpu::translate {

// Code of 64 bytes lies side by side here, too: what is looked for together is often near each other.
TranslationIndex::Key TranslationIndex::key(u64 physical, u32 mode) {
  constexpr u64 kMix = 0x9e37'79b9'7f4a'7c15;
  const u64 mixed = (physical / 64 * kMix ^ mode) * kMix;
  return {.home = (mixed >> 32) * 8 + physical / 8 % 8, .tag = (mixed >> 16 ^ physical) << kTagShift};
}

Translation* TranslationIndex::translation(Slot slot) {
  return reinterpret_cast<Translation*>(slot & ((u64{1} << kTagShift) - 1));
}

u64 TranslationIndex::place(u64 physical, u32 mode) const {
  const Key wanted = key(physical, mode);
  for (u64 n = wrap(wanted.home);; n = wrap(n + 1)) {
    const Slot slot = slots_[n];
    if (slot == 0) return n;
    if ((slot ^ wanted.tag) >> kTagShift) continue;
    const Translation& t = *translation(slot);
    if (t.physical() == physical && t.mode == mode) return n;
  }
}

Translation* TranslationIndex::find(u64 physical, u32 mode) const {
  return translation(slots_[place(physical, mode)]);
}

void TranslationIndex::set(Translation& t) {
  const u64 address = reinterpret_cast<u64>(&t);
  POLLUX_CHECK(address >> kTagShift == 0, "a program's addresses have 48 bits");
  Slot& slot = slots_[place(t.physical(), t.mode)];
  const bool is_new = slot == 0;
  slot = address | key(t.physical(), t.mode).tag;
  if (is_new && ++used_ * 4 > slots_.size() * 3) grow();
}

void TranslationIndex::erase(const Translation& t) {
  u64 hole = place(t.physical(), t.mode);
  if (translation(slots_[hole]) != &t) return;
  --used_;
  // What was pushed past the hole moves back.
  for (u64 n = wrap(hole + 1); slots_[n] != 0; n = wrap(n + 1)) {
    const Translation& pushed = *translation(slots_[n]);
    if (wrap(n - key(pushed.physical(), pushed.mode).home) < wrap(n - hole)) continue;
    slots_[hole] = slots_[n];
    hole = n;
  }
  slots_[hole] = 0;
}

void TranslationIndex::clear() {
  slots_.assign(kSmallest, 0);
  used_ = 0;
}

void TranslationIndex::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  std::swap(old, slots_);
  for (const Slot slot : old) {
    if (slot == 0) continue;
    const Translation& t = *translation(slot);
    slots_[place(t.physical(), t.mode)] = slot;
  }
}

}  // namespace pollux::cpu::translate
