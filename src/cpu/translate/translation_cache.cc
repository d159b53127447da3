#include "cpu/translate/translation_cache.h"

#include "memory/address.h"

namespace pollux::cpu::translate {

TranslationCache::TranslationCache(CodeRegion region)
    : region_(std::move(region)), assembler_(region_.write, region_.write + region_.size), first_(region_.write) {}

Translation& TranslationCache::add(u64 physical, u32 mode) {
  Translation& t = translations_.emplace_back();
  t.physical = physical;
  t.mode = mode;
  by_key_[key(physical, mode)] = &t;
  by_page_[physical >> memory::kPageShift].push_back(&t);
  return t;
}

bool TranslationCache::drop_page(u64 physical_page) {
  const auto page = by_page_.find(physical_page);
  if (page == by_page_.end()) return false;
  for (Translation* t : page->second) {
    t->dropped = true;
    by_key_.erase(key(t->physical, t->mode));
  }
  by_page_.erase(page);
  return true;
}

void TranslationCache::flush() {
  by_key_.clear();
  by_page_.clear();
  translations_.clear();
  exits_.clear();
  assembler_ = Assembler(first_, region_.write + region_.size);
}

}  // namespace pollux::cpu::translate
