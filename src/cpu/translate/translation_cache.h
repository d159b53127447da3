// Translations by physical address and mode, and the code region that they are in.
//
// Invariants
//  1. A translation's guest bytes equal guest memory: its page is watched, and a write to the page drops all of its
//     translations before the write happens.
//  2. A dropped translation's code stays where it is until flush(), because it may be running.
//  3. Links lead only from a page to itself in the same mode, so linked code is dropped together.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "cpu/translate/assembler.h"
#include "memory/code_region.h"
#include "cpu/translate/exit.h"

namespace pollux::cpu::translate {

class TranslationCache {
 public:
  explicit TranslationCache(memory::CodeRegion region);

  Translation* find(u64 physical, u32 mode) {
    Translation* const latest = latest_[slot(physical, mode)];
    if (latest && latest->physical == physical && latest->mode == mode && !latest->dropped) return latest;
    return find_in_page(physical, mode);
  }
  Translation& add(u64 physical, u32 mode);
  // False: the page had none.
  bool drop_page(u64 physical_page);

  // The region's two parts: what usually runs, and what seldom does.
  Assembler& hot() { return hot_; }
  Assembler& cold() { return cold_; }
  i64 executable() const { return i64(region_.execute - region_.write); }
  std::vector<Exit>& exits() { return exits_; }
  // What is hot so far stays through flush().
  void keep_so_far() { first_ = hot_.at(); }
  // Forgets everything; no translation may run.
  void flush();
  u64 code_bytes() const { return u64(hot_.at() - region_.write) + u64(cold_.at() - middle()); }

 private:
  u8* middle() const { return region_.write + region_.size / 2; }
  static constexpr unsigned kSlots = 1 << 15;
  static unsigned slot(u64 physical, u32 mode) {
    return unsigned((physical ^ physical >> 14 ^ u64(mode) * 0x9e5) & (kSlots - 1));
  }
  Translation* find_in_page(u64 physical, u32 mode);

  memory::CodeRegion region_;
  Assembler hot_, cold_;
  u8* first_ = nullptr;
  std::deque<Translation> translations_;
  std::vector<Translation*> latest_;  // of a hash
  std::unordered_map<u64, std::vector<Translation*>> by_page_;
  std::vector<Exit> exits_;
};

}  // namespace pollux::cpu::translate
