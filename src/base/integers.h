// Short names for fixed-width integers, and integers that do not mix: a position is not an address.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace pollux {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u128 = unsigned __int128;

// A u64 with a meaning. Adding a plain count keeps the meaning; the difference of two is a plain count.
template <class Tag>
struct Strong {
  u64 value = 0;

  constexpr Strong() = default;
  constexpr explicit Strong(u64 v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
  constexpr Strong operator+(u64 count) const { return Strong(value + count); }
  constexpr Strong& operator+=(u64 count) { value += count; return *this; }
  constexpr u64 operator-(Strong other) const { return value - other.value; }
};

}  // namespace pollux
