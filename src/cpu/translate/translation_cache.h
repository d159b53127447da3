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
#include "cpu/translate/code_region.h"
#include "cpu/translate/exit.h"

namespace pollux::cpu::translate {

class TranslationCache {
 public:
  explicit TranslationCache(CodeRegion region);

  Translation* find(u64 physical, u32 mode) {
    const auto known = by_key_.find(key(physical, mode));
    return known == by_key_.end() ? nullptr : known->second;
  }
  Translation& add(u64 physical, u32 mode);
  // False: the page had none.
  bool drop_page(u64 physical_page);

  Assembler& assembler() { return assembler_; }
  i64 executable() const { return i64(region_.execute - region_.write); }
  std::vector<Exit>& exits() { return exits_; }
  // Whatever is written from here on is dropped by flush().
  void keep_so_far() { first_ = assembler_.at(); }
  // Forgets everything; no translation may run.
  void flush();
  u64 code_bytes() const { return u64(assembler_.at() - region_.write); }

 private:
  static u64 key(u64 physical, u32 mode) { return physical << 16 | mode; }

  CodeRegion region_;
  Assembler assembler_;
  u8* first_ = nullptr;
  std::deque<Translation> translations_;
  std::unordered_map<u64, Translation*> by_key_;
  std::unordered_map<u64, std::vector<Translation*>> by_page_;
  std::vector<Exit> exits_;
};

}  // namespace pollux::cpu::translate
