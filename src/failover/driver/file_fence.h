// The fence as a file: NAME.fence in the arbiter's directory holds the newest generation as a decimal number, and its
// lock (an open-file-description lock, which NFS carries too) is held by whoever is writing. A process that was killed
// lets go when its last system call has ended; one that is stopped keeps it, and whoever wants to raise waits.
// Keeps the invariants of failover/arbiter.h. One thread at a time for enter and leave; raise may come from another.
#pragma once

#include <memory>
#include <mutex>

#include "base/result.h"
#include "failover/arbiter.h"
#include "failover/driver/file_arbiter.h"

namespace pollux::failover::driver {

class FileFence final : public Fence {
 public:
  static Result<std::unique_ptr<FileFence>> open(const FileArbiter& arbiter);

  FenceAnswer enter(Generation generation) override;
  void leave() override;
  FenceAnswer raise(Generation generation) override;

 private:
  explicit FileFence(Descriptor file) : file_(std::move(file)) {}
  bool lock(short type);
  bool read(Generation& generation);

  std::mutex mutex_;
  Descriptor file_;
  bool inside_ = false;
};

}  // namespace pollux::failover::driver
