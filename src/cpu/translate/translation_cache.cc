#include "cpu/translate/translation_cache.h"

#include "memory/address.h"

namespace pollux::cpu::translate {

TranslationCache::TranslationCache(memory::CodeRegion region)
    : region_(std::move(region)),
      hot_(region_.write, middle()),
      cold_(middle(), region_.write + region_.size),
      first_(region_.write),
      latest_(kSlots) {}

Translation* TranslationCache::find_in_page(u64 physical, u32 mode) {
  const auto page = by_page_.find(physical >> memory::kPageShift);
  if (page == by_page_.end()) return nullptr;
  for (Translation* t : page->second) {
    if (t->physical == physical && t->mode == mode) return latest_[slot(physical, mode)] = t;
  }
  return nullptr;
}

Translation& TranslationCache::add(u64 physical, u32 mode) {
  Translation& t = translations_.emplace_back();
  t.physical = physical;
  t.mode = mode;
  latest_[slot(physical, mode)] = &t;
  by_page_[physical >> memory::kPageShift].push_back(&t);
  return t;
}

bool TranslationCache::drop_page(u64 physical_page) {
  const auto page = by_page_.find(physical_page);
  if (page == by_page_.end()) return false;
  for (Translation* t : page->second) t->dropped = true;
  by_page_.erase(page);
  return true;
}

void TranslationCache::flush() {
  latest_.assign(kSlots, nullptr);
  by_page_.clear();
  translations_.clear();
  exits_.clear();
  hot_ = Assembler(first_, middle());
  cold_ = Assembler(middle(), region_.write + region_.size);
}

}  // namespace pollux::cpu::translate
