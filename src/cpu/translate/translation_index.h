// Finds translations by key, with one line of the host's cache touched.
#pragma once

#include <vector>

#include "base/integers.h"

namespace pollux::cpu::translate {

struct Translation;

class TranslationIndex {
 public:
  // Of a key: the mode. Above is the physical address.
  static constexpr unsigned kModeBits = 15;

  TranslationIndex() : slots_(kSmallest) {}

  Translation* find(u64 key) const {
    for (u64 n = home(key);; n = next(n)) {
      if (slots_[n].key == key || !slots_[n].translation) return slots_[n].translation;
    }
  }
  // Takes the place of another one of the same key.
  void set(u64 key, Translation& translation);
  // Nothing happens when the key leads to another translation.
  void erase(u64 key, const Translation& translation);
  void clear();

 private:
  static constexpr u64 kSmallest = 1 << 12;
  struct Slot {
    u64 key = ~u64{0};
    Translation* translation = nullptr;  // nullptr: empty
  };

  // Code of 64 bytes lies side by side here, too: what is looked for together is often near each other.
  u64 home(u64 key) const {
    constexpr u64 kMix = 0x9e37'79b9'7f4a'7c15;
    const u64 line = key >> (kModeBits + 6), mode = key & ((1 << kModeBits) - 1);
    return (((line * kMix ^ mode) * kMix >> 32) * 4 + (key >> (kModeBits + 4) & 3)) & (slots_.size() - 1);
  }
  u64 next(u64 n) const { return (n + 1) & (slots_.size() - 1); }
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most half full
  u64 used_ = 0;
};

}  // namespace pollux::cpu::translate
