#include "host/scrollback.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::host {

void Scrollback::append(ByteSpan bytes) {
  if (bytes.size() > ring_.size()) {
    end_ += bytes.size() - ring_.size();
    bytes = bytes.last(ring_.size());
  }
  while (!bytes.empty()) {
    const std::size_t at = end_ % ring_.size();
    const std::size_t count = std::min(bytes.size(), ring_.size() - at);
    std::copy_n(bytes.begin(), count, ring_.begin() + i64(at));
    end_ += count;
    bytes = bytes.subspan(count);
  }
}

ByteSpan Scrollback::read(u64 place) const {
  POLLUX_CHECK(begin() <= place && place <= end_, "a reader's place is kept");
  const std::size_t at = place % ring_.size();
  return ByteSpan(ring_).subspan(at, std::min<u64>(end_ - place, ring_.size() - at));
}

}  // namespace pollux::host
