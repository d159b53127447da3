// A disk as a session's world needs it: how big, may it be written, whose is it now. Opened by host/disk_file.h;
// requests go through the world (door::DiskOutput), not through here.
//
// States: open (read only by anyone: size and identity may be asked), acquired (this machine may write), fenced (a
// newer generation writes: every further write is refused here). A machine that runs alone acquires at once; a
// backup opens, and acquires at its promotion (R6).
#pragma once

#include <functional>
#include <string>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::storage {

// Asked before each write, discard and write of zeroes; false refuses it (R7). Called from any thread; must not wait.
using Fence = std::function<bool()>;

class Disk {
 public:
  virtual ~Disk() = default;

  virtual const std::string& path() const = 0;
  virtual u64 size_bytes() const = 0;  // a multiple of 512
  virtual bool read_only() const = 0;

  // A number that two openings of one disk share and that running a guest does not change: from the size, the
  // partition table and the file system's UUID. Tells a backup's wrong disk from the right one; not a proof.
  virtual u64 identity() const = 0;

  // Claims the disk for this machine: exclusively, or with other readers when it is read-only. Waits up to wait_ms
  // for a previous owner to let go (a killed process does so by itself, after its last write has ended). Fails with
  // a sentence when somebody keeps it. Does nothing when the disk is acquired already.
  virtual Result<void> acquire(u64 wait_ms) = 0;
  // Acquires without the claim of the storage, which a hung owner or a dead host still holds. Only for the winner of
  // an arbitration whose loser is fenced (R7). The claim is taken as soon as it is free.
  virtual void take_over() = 0;
  virtual void release() = 0;
  virtual bool acquired() const = 0;

  // Set before the first write; replaces the one before.
  virtual void set_fence(Fence fence) = 0;
};

}  // namespace pollux::storage
