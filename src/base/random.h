// Random numbers from a seed (xoshiro256**, Blackman and Vigna, seeded by splitmix64). For tests, the simulation and
// nothing that must be secret.
#pragma once

#include <array>
#include <bit>

#include "base/integers.h"

namespace pollux {

class Random {
 public:
  explicit Random(u64 seed) {
    for (u64& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      u64 z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  u64 next() {
    const u64 result = std::rotl(state_[1] * 5, 7) * 9;
    const u64 t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // In [0, bound); bound > 0. The bias of the multiplication is below 2^-32 for the bounds used here.
  u64 below(u64 bound) { return u64((u128(next()) * bound) >> 64); }
  bool chance(double probability) { return double(next() >> 11) * 0x1p-53 < probability; }

 private:
  std::array<u64, 4> state_;
};

}  // namespace pollux
