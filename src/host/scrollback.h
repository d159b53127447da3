// The last bytes of an endless output, addressed by their place in it. A reader keeps its own place; one that is too
// slow finds that its bytes are gone and goes on at begin().
#pragma once

#include "base/bytes.h"

namespace pollux::host {

class Scrollback {
 public:
  explicit Scrollback(std::size_t capacity) : ring_(capacity) {}

  void append(ByteSpan bytes);
  u64 end() const { return end_; }  // bytes appended ever
  u64 begin() const { return end_ > ring_.size() ? end_ - ring_.size() : 0; }

  // Some bytes from the place on, without a break; empty only at end(). begin() <= place <= end().
  ByteSpan read(u64 place) const;

 private:
  Bytes ring_;  // byte number n of the output is at n % size
  u64 end_ = 0;
};

}  // namespace pollux::host
