// Where pages of code are found, in each context. A link to another page (writer_far.cc) says how far away that is, and it
// is right only while the page that it is in has one place in the link's context.
#pragma once

#include <array>
#include <unordered_set>

#include "base/integers.h"

namespace pollux::cpu::translate {

class CodePlaces {
 public:
  enum class Noted {
    kKnown,    // or the first place
    kAnother,  // in this context the page had one place until now
    kFull,     // not noted: clear() makes room
  };
  // A page, by its physical number, is at a linear page in a context. is_live: of a context; what was noted for another
  // one is needed no more.
  template <class IsLive>
  Noted note(u64 context, u64 page, u64 linear, IsLive is_live) {
    Place* free = nullptr;
    const u64 first = home(context, page);
    for (u64 n = 0; n < kProbes; ++n) {
      Place& place = places_[(first + n) % kPlaces];
      if (place.context == context && place.page == page) {
        if (place.several || place.linear == linear) return Noted::kKnown;
        place.several = true;
        several_.insert(page);
        return Noted::kAnother;
      }
      if (!free && !is_live(place.context)) free = &place;
    }
    if (!free) return Noted::kFull;
    *free = {context, linear, page, false};
    return Noted::kKnown;
  }
  // Whether a page has or had several places in one context.
  bool has_several(u64 page) const { return several_.contains(page); }
  void clear() {
    places_.fill({});
    several_.clear();
  }

 private:
  static constexpr u64 kPlaces = 1 << 14, kProbes = 16;
  struct Place {
    u64 context = ~u64{0};
    u64 linear = 0;
    u64 page : 63 = 0;
    u64 several : 1 = 0;
  };
  // Neighbours lie side by side, but only so many: a row of pages as long as kProbes would leave no place for others.
  static constexpr u64 home(u64 context, u64 page) {
    constexpr u64 kNeighbours = 4, kMix = 0x9e37'79b9'7f4a'7c15;
    const u64 group = ((context * kMix ^ page / kNeighbours) * kMix) >> 32;
    return (group * kNeighbours + page % kNeighbours) % kPlaces;
  }
  std::array<Place, kPlaces> places_{};
  std::unordered_set<u64> several_;
};

}  // namespace pollux::cpu::translate
