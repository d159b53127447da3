#include "cpu/translate/translation_index.h"

#include <utility>

namespace pollux::cpu::translate {

void TranslationIndex::set(u64 key, Translation& translation) {
  u64 n = home(key);
  while (slots_[n].translation && slots_[n].key != key) n = next(n);
  const bool is_new = !slots_[n].translation;
  slots_[n] = {key, &translation};
  if (is_new && ++used_ * 2 > slots_.size()) grow();
}

void TranslationIndex::erase(u64 key, const Translation& translation) {
  u64 hole = home(key);
  while (slots_[hole].translation && slots_[hole].key != key) hole = next(hole);
  if (slots_[hole].translation != &translation) return;
  --used_;
  // What was pushed past the hole moves back.
  for (u64 n = next(hole); slots_[n].translation; n = next(n)) {
    const u64 mask = slots_.size() - 1;
    if (((n - home(slots_[n].key)) & mask) < ((n - hole) & mask)) continue;
    slots_[hole] = slots_[n];
    hole = n;
  }
  slots_[hole] = {};
}

void TranslationIndex::clear() {
  slots_.assign(kSmallest, {});
  used_ = 0;
}

void TranslationIndex::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (!slot.translation) continue;
    u64 n = home(slot.key);
    while (slots_[n].translation) n = next(n);
    slots_[n] = slot;
  }
}

}  // namespace pollux::cpu::translate
