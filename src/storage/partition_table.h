// The partitions of a disk image: GPT, or MBR with logical partitions.
// Source: UEFI specification 2.10, chapter 5.
#pragma once

#include <functional>
#include <vector>

#include "base/bytes.h"

namespace pollux::storage {

struct Partition {
  u32 number = 0;  // as Linux counts: vda<number>
  u64 offset = 0;  // in bytes
  u64 size = 0;
};

// Fills bytes from the offset; false when the disk ends before or cannot be read.
using ReadAt = std::function<bool(u64 offset, std::span<std::byte> bytes)>;

// In the order of their numbers; empty when there is no partition table. Damaged entries are left out.
std::vector<Partition> read_partitions(const ReadAt& read);

}  // namespace pollux::storage
