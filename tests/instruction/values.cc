#include "values.h"

#include <cstring>

namespace pollux::test {

u64 random_integer(Random& random) {
  const u64 bits = random.next();
  switch (random.below(8)) {
    case 0: return bits & 0xff;
    case 1: return u64(i64(bits) >> 56);  // small, either sign
    case 2: return u64(1) << (bits & 63);
    case 3: return (u64(1) << (bits & 63)) - 1;
    case 4: {
      constexpr u64 kLimits[] = {0, ~u64(0), 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, u64(1) << 63,
                                 (u64(1) << 63) - 1, 0xffffffff, 0xffff, 0xff, 1, 0xffffffff80000000,
                                 0xffffffff7fffffff};
      return kLimits[bits & 15];
    }
    default: return bits;
  }
}

u32 random_single(Random& random) {
  const u64 bits = random.next();
  const u32 sign = u32(bits >> 63) << 31;
  const u32 fraction = u32(bits) & 0x7fffff;
  switch (random.below(16)) {
    case 0: return sign;
    case 1: return sign | 0x7f800000;
    case 2: return sign | 0x7fc00000 | fraction;
    case 3: return sign | 0x7f800001 | (fraction & 0x3fffff);
    case 4: return sign | fraction;                    // denormal
    case 5: return sign | (fraction >> (bits >> 40 & 15));
    case 6: return sign | 0x00800000 | fraction;       // around the smallest normal
    case 7: return sign | 0x7f000000 | fraction;       // around the largest
    case 8: return sign | 0x3f800000;
    case 9: return sign | u32(0x4a000000 + (bits >> 32 & 0x07ffffff));  // near the integers' limits
    case 10: return u32(bits);
    default: return sign | u32(0x3c000000 + (bits >> 32 & 0x07ffffff));
  }
}

u64 random_double(Random& random) {
  const u64 bits = random.next();
  const u64 sign = bits & (u64(1) << 63);
  const u64 fraction = bits & 0xfffffffffffff;
  switch (random.below(16)) {
    case 0: return sign;
    case 1: return sign | 0x7ff0000000000000;
    case 2: return sign | 0x7ff8000000000000 | fraction;
    case 3: return sign | 0x7ff0000000000001 | (fraction & 0x7ffffffffffff);
    case 4: return sign | fraction;
    case 5: return sign | (fraction >> (bits >> 53 & 31));
    case 6: return sign | 0x0010000000000000 | fraction;
    case 7: return sign | 0x7fe0000000000000 | fraction;
    case 8: return sign | 0x3ff0000000000000;
    case 9: return sign | (0x4100000000000000 + (random.next() & 0x3fffffffffffff));
    case 10: return sign | (0x3800000000000000 + (fraction & 0xfffffff000000) + (random.next() & 0x0f0000000000000));
    case 11: return sign | (0x3690000000000000 + (random.next() & 0x1ffffffffffffff));  // denormal as a single
    default: return sign | (0x3f80000000000000 + (random.next() & 0xfffffffffffff) + (bits & 0x0f0000000000000));
  }
}

Fx::Register random_extended(Random& random) {
  const u64 bits = random.next();
  const u64 sign = bits >> 63 << 15;
  const u64 top = u64(1) << 63;
  const u64 fraction = random.next();
  switch (random.below(20)) {
    case 0: return {0, sign};
    case 1: return {top, sign | 0x7fff};
    case 2: return {fraction | top | top >> 1, sign | 0x7fff};
    case 3: return {((fraction | top) & ~(top >> 1)) | 1, sign | 0x7fff};
    case 4: return {fraction >> (1 + (bits & 15)), sign};        // denormal
    case 5: return {fraction | top, sign};                       // pseudo-denormal
    case 6: return {fraction & ~top, sign | (bits & 0x7fff)};    // unnormal, pseudo-infinity, pseudo-NaN
    case 7: return {fraction | top, sign | (1 + (bits & 63))};
    case 8: return {fraction | top, sign | (0x7ffe - (bits & 63))};
    case 9: return {top, sign | 0x3fff};
    case 10: {                                                   // an integer
      const unsigned shift = bits & 63;
      return {(fraction | top) >> shift << shift, sign | (0x3fff + 63 - shift)};
    }
    case 11: return {fraction | top, sign | (0x3fff + (bits & 63))};
    case 12: return {(fraction | top) & ~u64(0x7ff), sign | (0x3fff - 1022 + (bits & 2047))};  // a double
    case 13: return {fraction | top, sign | (0x3fff - 1100 + (bits & 127))};
    case 14: return {fraction | top, sign | (0x3fff - 160 + (bits & 63))};
    case 15: return {fraction | top, sign | (bits & 0x7fff)};
    default: return {fraction | top, sign | (0x3fff - 8 + (bits & 15))};
  }
}

Fx::Register random_vector(Random& random) {
  switch (random.below(4)) {
    case 0: return {random_integer(random), random_integer(random)};
    case 1: return {random_double(random), random_double(random)};
    case 2: {
      const u64 low = u64(random_single(random)) << 32 | random_single(random);
      return {low, u64(random_single(random)) << 32 | random_single(random)};
    }
    default: return {random.next(), random.next()};
  }
}

void random_memory(Random& random, u8* to, std::size_t size) {
  for (std::size_t at = 0; at + 16 <= size; at += 16) {
    Fx::Register value{random.next(), random.next()};
    if ((value.low & 3) == 0) value = random_vector(random);
    if ((value.low & 31) == 1) value = random_extended(random);
    std::memcpy(to + at, &value, 16);
  }
}

}  // namespace pollux::test
