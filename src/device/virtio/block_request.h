// One disk request from the moment the driver made it available until it is completed, and the rule that orders two
// of them (design R13).
//
// Two requests conflict when their blocks overlap and one of them changes blocks, or when their guest memory overlaps
// and one of them is a read (which changes memory). A flush conflicts with nothing.
#pragma once

#include <vector>

#include "base/visit.h"
#include "device/virtio/queue.h"
#include "door/output.h"

namespace pollux::device::virtio {

enum class RequestStage : u8 {
  kHeld,      // waits for an earlier one that it conflicts with; not emitted
  kEmitted,   // its completion will come
  kOrphaned,  // emitted, then the driver reset the device: its completion only frees those that it conflicts with
};

struct BlockRequest {
  u64 id = 0;
  RequestStage stage = RequestStage::kHeld;
  door::DiskOperation operation = door::DiskOperation::kRead;
  u64 offset = 0;  // bytes
  u64 length = 0;
  bool flush_after = false;  // a write of a driver that knows no flush: durable before it completes
  u16 head = 0;              // of its chain
  u64 status_at = 0;         // guest-physical address of the status byte
  std::vector<Segment> segments;  // a read's destination or a write's source
  Bytes data;                     // a write's bytes, once emitted

  bool changes_blocks() const {
    using enum door::DiskOperation;
    return operation == kWrite || operation == kDiscard || operation == kWriteZeroes;
  }
  // Sorts the segments' ranges for conflicts(); after segments are set.
  void derive();
  bool conflicts(const BlockRequest& other) const;
  door::DiskOutput output(u32 disk) const { return {disk, id, operation, offset, length, data}; }

  void visit(Visitor& v);

 private:
  struct Range {
    u64 from, to;
    auto operator<=>(const Range&) const = default;
  };
  std::vector<Range> ranges_;  // sorted; derived from segments
};

}  // namespace pollux::device::virtio
