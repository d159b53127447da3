#include "cpu/translate/translation_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/translate/exit.h"
#include "memory/address.h"

namespace pollux::cpu::translate {

TranslationCache::TranslationCache(memory::CodeRegion region, Dropped dropped)
    : region_(std::move(region)),
      dropped_(std::move(dropped)),
      parts_(std::min(kMostParts, region_.size / kSmallestPart)) {
  const u64 size = region_.size / parts_.size();
  chunk_ = std::max(size / kChunksInPart, kSmallestChunk);
  for (unsigned n = 0; n < parts_.size(); ++n) {
    Part& part = parts_[n];
    part.begin = region_.write + n * size;
    part.end = part.begin + size;
  }
  begin_part(0);
}

namespace {

const u8* target_of(const u8* displacement) {
  i32 distance;
  std::memcpy(&distance, displacement, sizeof distance);
  return displacement + 4 + distance;
}

}  // namespace

Translation& TranslationCache::add(u64 physical, u32 mode) {
  Translation& t = parts_[part_].translations.emplace_back();
  t.page = u32(physical >> memory::kPageShift);
  t.offset = u16(physical & memory::kPageMask);
  t.mode = u16(mode);
  index_.set(t);
  Translation*& page = by_page_[t.page];
  t.next = std::exchange(page, &t);
  return t;
}

void TranslationCache::hide(Translation& t) {
  t.dropped = true;
  index_.erase(t);
}

u32 TranslationCache::add_lent(const interpret::Instruction& lent) {
  std::deque<interpret::Instruction>& all = parts_[part_].lent;
  POLLUX_CHECK(all.size() < kLentMask, "fewer lent instructions than bytes of code");
  all.push_back(lent);
  return u32(part_ << kLentBits | (all.size() - 1));
}

void TranslationCache::will_change(std::span<const u8> at, const Translation& to) {
  Part& part = part_of(to);
  if (part_of(at.data()).filling <= part.filling) return;
  Change change{.at = u32(at.data() - region_.write), .size = u8(at.size()), .bytes = {}};
  POLLUX_CHECK(at.size() <= Change::kMost, "no change is longer than a link");
  std::ranges::copy(at, change.bytes.begin());
  part.changes.push_back(change);
}

void TranslationCache::note_link(Translation& to, const u8* displacement) {
  if (part_of(displacement).filling >= part_of(to).filling) to.links = {u32(displacement - region_.write), to.links[0]};
}

// They are there at least as long as the old one.
void TranslationCache::move_links(const Translation& old, const u8* from, const u8* to) {
  for (const u32 link : old.links) {
    u8* const displacement = region_.write + link;
    if (link && target_of(displacement) == from - executable()) Assembler::link(displacement, to - executable());
  }
}

void TranslationCache::replace(Translation& old) {
  hide(old);
  leave_list(old.page, [&](const Translation& t) { return &t == &old; });
}

template <class Leaves>
void TranslationCache::leave_list(u64 physical_page, Leaves leaves) {
  const auto page = by_page_.find(physical_page);
  if (page == by_page_.end()) return;
  for (Translation** t = &page->second; *t;) {
    if (leaves(**t))
      *t = (*t)->next;
    else
      t = &(*t)->next;
  }
  if (!page->second) by_page_.erase(page);
}

void TranslationCache::reaches(const Translation& t, u64 second_page) {
  std::vector<u64>& from = reached_[second_page];
  if (std::ranges::find(from, t.page) == from.end()) from.push_back(t.page);
}

void TranslationCache::link_far(u8* place, u8* jump, u64 to_page, const u8* code, u32 epoch) {
  u32 before;
  std::memcpy(&before, place + kEpochInLink, sizeof before);
  // It is in the page's list already if it leads there and was not cut.
  if (before == 0 || target_of(jump) != code - executable())
    far_[to_page].push_back({place, part_of(place).filling, u32(jump - place)});
  Assembler::link(jump, code - executable());
  std::memcpy(place + kEpochInLink, &epoch, sizeof epoch);
}

void TranslationCache::link_entry(u8* place, u64 to_page, u32 epoch) {
  u32 before;
  std::memcpy(&before, place + kEpochInLink, sizeof before);
  if (before == 0) far_[to_page].push_back({place, part_of(place).filling, 0});
  std::memcpy(place + kEpochInLink, &epoch, sizeof epoch);
}

void TranslationCache::cut(const FarLink& link) {
  constexpr u32 kNone = 0;
  if (is_there(link)) std::memcpy(link.place + kEpochInLink, &kNone, sizeof kNone);
}

void TranslationCache::cut_far_links() {
  for (const auto& [page, links] : far_) std::ranges::for_each(links, [this](const FarLink& link) { cut(link); });
  far_.clear();
}

bool TranslationCache::drop_page(u64 physical_page) {
  bool any = false;
  if (auto reached = reached_.extract(physical_page)) {
    for (const u64 from : reached.mapped()) any |= forget_page(from);
  }
  return forget_page(physical_page) || any;
}

bool TranslationCache::forget_page(u64 physical_page) {
  if (auto links = far_.extract(physical_page))
    for (const FarLink& link : links.mapped()) cut(link);
  const auto page = by_page_.find(physical_page);
  if (page == by_page_.end()) return false;
  page_.clear();
  for (Translation* t = page->second; t; t = t->next) {
    hide(*t);
    page_.push_back(t);
  }
  dropped_(page_);
  by_page_.erase(page);
  return true;
}

void TranslationCache::make_room() { begin_part((part_ + 1) % unsigned(parts_.size())); }

void TranslationCache::drop_part(Part& part) {
  page_.clear();
  std::vector<u64> pages;
  for (Translation& t : part.translations) {
    if (pages.empty() || pages.back() != t.page) pages.push_back(t.page);
    if (t.dropped) continue;
    hide(t);
    page_.push_back(&t);
  }
  dropped_(page_);
  std::ranges::sort(pages);
  const auto twice = std::ranges::unique(pages);
  pages.erase(twice.begin(), twice.end());
  for (const u64 page : pages) {
    leave_list(page, [&](const Translation& t) { return &part_of(t) == &part; });
    cut_far_links(page, part);
  }
  for (const Change& change : part.changes) std::memcpy(region_.write + change.at, change.bytes.data(), change.size);
}

void TranslationCache::cut_far_links(u64 to_page, const Part& part) {
  const auto far = far_.find(to_page);
  if (far == far_.end()) return;
  std::erase_if(far->second, [&](const FarLink& link) {
    const bool stays = link.jump == 0 || &part_of(target_of(link.place + link.jump)) != &part;
    if (is_there(link) && stays) return false;
    cut(link);
    return true;
  });
}

void TranslationCache::begin_part(unsigned number) {
  Part& part = parts_[part_ = number];
  drop_part(part);
  part.filling = ++fillings_;
  part.translations.clear();
  part.changes = {};  // most have few
  part.lent.clear();
  next_chunk_ = part.begin;
  hot_ = cold_ = Assembler();
  has_room(1);
  if (first_ && number == 0) hot_ = Assembler(first_, hot_.at() + hot_.room());
}

bool TranslationCache::has_room(Assembler& a, u64 bytes) {
  if (a.room() >= bytes) return true;
  const Part& part = parts_[part_];
  if (u64(part.end - next_chunk_) < chunk_) return false;
  if (region_.about_to_fill) region_.about_to_fill(next_chunk_, chunk_);
  a = Assembler(next_chunk_, next_chunk_ + chunk_);
  next_chunk_ += chunk_;
  return true;
}

void TranslationCache::flush() {
  index_.clear();
  by_page_.clear();
  reached_.clear();
  far_.clear();
  for (unsigned n = unsigned(parts_.size()); n-- > 0;) {
    parts_[n].translations.clear();
    parts_[n].changes.clear();
    begin_part(n);
  }
}

}  // namespace pollux::cpu::translate
