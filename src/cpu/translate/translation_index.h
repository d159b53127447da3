// Finds translations by physical address and mode, with one line of the host's cache touched beside the translation's.
#pragma once

#include <vector>

#include "base/integers.h"

namespace pollux::cpu::translate {

struct Translation;

class TranslationIndex {
 public:
  TranslationIndex() : slots_(kSmallest) {}

  Translation* find(u64 physical, u32 mode) const;
  // Takes the place of another one of the same address and mode.
  void set(Translation& translation);
  // Nothing happens when another one has its place.
  void erase(const Translation& translation);
  void clear();

 private:
  static constexpr u64 kSmallest = 1 << 12;
  static constexpr unsigned kTagShift = 48;  // above the addresses of programs
  // Where an address and a mode belong, and what of them is in the slot.
  struct Key {
    u64 home;
    u64 tag;
  };
  using Slot = u64;  // a translation's address and its tag; 0: empty

  static Key key(u64 physical, u32 mode);
  static Translation* translation(Slot slot);
  // The slot that has it, or the empty one behind those that could.
  u64 place(u64 physical, u32 mode) const;
  u64 wrap(u64 n) const { return n & (slots_.size() - 1); }
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most three quarters full
  u64 used_ = 0;
};

}  // namespace pollux::cpu::translate
