// Little-endian bytes in and out, with LEB128 varints. The writer appends; the reader never passes the end: a read
// past it returns zero and makes ok() false from then on, so that a parser checks once.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/integers.h"

namespace pollux {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteWriter {
 public:
  template <class T>
  void put(T value) {  // T: an integer; little-endian
    static_assert(std::is_integral_v<T> && std::endian::native == std::endian::little);
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    std::memcpy(out_.data() + at, &value, sizeof value);
  }
  void put_varint(u64 value) {
    while (value >= 0x80) {
      out_.push_back(std::byte(value | 0x80));
      value >>= 7;
    }
    out_.push_back(std::byte(value));
  }
  void put_bytes(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void put_sized(ByteSpan bytes) {  // varint length, then the bytes
    put_varint(bytes.size());
    put_bytes(bytes);
  }
  void put_text(std::string_view text) { put_sized(as_bytes(text)); }

  std::size_t size() const { return out_.size(); }
  const Bytes& bytes() const { return out_; }
  Bytes take() { return std::exchange(out_, {}); }

 private:
  Bytes out_;
};

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  template <class T>
  T get() {
    static_assert(std::is_integral_v<T>);
    T value{};
    const ByteSpan from = get_bytes(sizeof value);
    if (ok_) std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
  u64 get_varint() {
    u64 value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const u8 byte = get<u8>();
      value |= u64(byte & 0x7f) << shift;
      if (shift == 63 && byte > 1) break;
      if (!(byte & 0x80)) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  ByteSpan get_bytes(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const ByteSpan taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  ByteSpan get_sized() { return get_bytes(get_varint()); }
  std::string get_text() { return std::string(as_text(get_sized())); }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace pollux
