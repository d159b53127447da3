// Numbers for contexts (translator_contexts.cc), which links between pages and jump entries hold in their place. A
// space is a context without its view.
#pragma once

#include <array>

#include "base/check.h"
#include "base/integers.h"
#include "cpu/translate/frame.h"

namespace pollux::cpu::translate {

class Spaces {
  static constexpr u64 kNone = ~u64{0};

 public:
  struct Space {
    u64 context = kNone;
    u32 epoch = 0;  // 0: none yet
  };
  // Its number, never 0: always the same one as long as it has any.
  unsigned number(u64 space) {
    for (u64 n = home(space);; ++n) {
      const unsigned number = unsigned(n % kSpaces);
      if (number == 0) continue;
      if (spaces_[number].context == space) return number;
      if (has(number)) continue;
      POLLUX_CHECK(count_ < kSpaces - 2, "there is room for another context");
      ++count_;
      spaces_[number].context = space;
      return number;
    }
  }
  // number: may be 0, which is of no context.
  Space& operator[](u64 number) { return spaces_[number]; }
  const Space& operator[](u64 number) const { return spaces_[number]; }
  bool has(u64 number) const { return spaces_[number].context != kNone; }
  // For the few that are asked for before this is asked again.
  bool has_room() const { return count_ < kSpaces / 4 * 3; }
  // Takes their numbers from all others, and from those that would not be found any more. is_live: of a context.
  template <class IsLive>
  void keep(IsLive is_live) {
    count_ = 0;
    for (u64 n = 0; n < kSpaces; ++n) {
      Space& space = spaces_[n];
      if (is_live(space.context) && home(space.context) % kSpaces == n)
        ++count_;
      else
        space = {};
    }
  }
  void clear() {
    spaces_.fill({});
    count_ = 0;
  }
  void forget_epochs() {
    for (Space& space : spaces_) space.epoch = 0;
  }

 private:
  static u64 home(u64 space) {
    constexpr u64 kMix = 0x9e37'79b9'7f4a'7c15;
    return (space * kMix) >> 32;
  }

  std::array<Space, kSpaces> spaces_{};
  unsigned count_ = 0;
};

}  // namespace pollux::cpu::translate
