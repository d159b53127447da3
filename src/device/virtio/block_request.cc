#include "device/virtio/block_request.h"

#include <algorithm>

namespace pollux::device::virtio {

void BlockRequest::derive() {
  ranges_.clear();
  for (const Segment& segment : segments) {
    if (segment.length) ranges_.push_back({segment.at.value, segment.at.value + segment.length});
  }
  std::ranges::sort(ranges_);
  // Join what overlaps or touches, so that both ends rise: the walk in conflicts() relies on it.
  std::size_t kept = 0;
  for (const Range& range : ranges_) {
    if (kept && range.from <= ranges_[kept - 1].to) {
      ranges_[kept - 1].to = std::max(ranges_[kept - 1].to, range.to);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool BlockRequest::conflicts(const BlockRequest& other) const {
  using enum door::DiskOperation;
  if (operation == kFlush || other.operation == kFlush) return false;
  if ((changes_blocks() || other.changes_blocks()) && offset < other.offset + other.length &&
      other.offset < offset + length) {
    return true;
  }
  if (operation != kRead && other.operation != kRead) return false;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    if (a->to <= b->from) {
      ++a;
    } else if (b->to <= a->from) {
      ++b;
    } else {
      return true;
    }
  }
  return false;
}

void BlockRequest::visit(Visitor& v) {
  v.field("id", id);
  v.field("stage", stage);
  v.field("operation", operation);
  v.field("offset", offset);
  v.field("length", length);
  v.field("flush_after", flush_after);
  v.field("head", head);
  v.field("status_at", status_at);
  v.list("segments", segments);
  v.sized("data", data);
  if (v.restoring()) derive();
}

}  // namespace pollux::device::virtio
