#include "storage/overlap_order.h"

#include <algorithm>

#include "base/check.h"

namespace pollux::storage {

bool OverlapOrder::conflict(const Request& a, const Request& b) {
  using enum door::DiskOperation;
  if (a.operation == kFlush || b.operation == kFlush) return false;
  if (a.operation == kRead && b.operation == kRead) return false;
  return a.begin < b.end && b.begin < a.end;
}

bool OverlapOrder::add(u64 ticket, door::DiskOperation operation, u64 offset, u64 length) {
  Request request{ticket, operation, offset, offset + length, 0};
  for (const Request& earlier : requests_) request.waits_for += conflict(earlier, request);
  requests_.push_back(request);
  return request.waits_for == 0;
}

void OverlapOrder::finish(u64 ticket, std::vector<u64>& start) {
  const auto done = std::ranges::find(requests_, ticket, &Request::ticket);
  POLLUX_CHECK(done != requests_.end() && done->waits_for == 0, "a request finishes once, after it was started");
  for (auto later = std::next(done); later != requests_.end(); ++later) {
    if (!conflict(*done, *later)) continue;
    if (--later->waits_for == 0) start.push_back(later->ticket);
  }
  requests_.erase(done);
}

}  // namespace pollux::storage
