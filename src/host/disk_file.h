// A disk kept in a raw image file or a block device. Opening checks what can be checked before a guest runs;
// acquiring takes a lock that every process on every host that shares the storage sees.
//
// The lock is an open-file-description lock on the whole file: exclusive to write, shared to read only. It is held
// by the open file, not by the process: after SIGKILL the kernel lets go only when the last write in flight on this
// host has ended, so that the next owner's first request comes after the dead owner's last one (R7 on one host).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "host/fd.h"
#include "storage/disk.h"

namespace pollux::host {

class DiskFile final : public storage::Disk {
 public:
  enum class Access { kReadWrite, kReadOnly };

  // Fails, each with its sentence: missing; not a file or block device; not readable; not writable and not asked for
  // with ,ro; empty or not a multiple of 512 bytes. Does not acquire.
  static Result<std::shared_ptr<DiskFile>> open(const std::string& path, Access access);

  const std::string& path() const override { return path_; }
  u64 size_bytes() const override { return size_bytes_; }
  bool read_only() const override { return access_ == Access::kReadOnly; }
  u64 identity() const override;
  Result<void> acquire(u64 wait_ms) override;
  void take_over() override;
  void release() override;
  bool acquired() const override { return acquired_; }
  void set_fence(storage::Fence fence) override;

  // False when the fence refuses, the disk is read-only, or it is not acquired.
  bool may_write() const;
  int fd() const { return fd_.get(); }

 private:
  DiskFile(Fd fd, std::string path, u64 size_bytes, Access access)
      : fd_(std::move(fd)), path_(std::move(path)), size_bytes_(size_bytes), access_(access) {}

  void look_again();

  Fd fd_;
  std::string path_;
  u64 size_bytes_;
  Access access_;
  std::atomic<bool> acquired_ = false;
  mutable std::atomic<bool> locked_ = false;  // acquired_ without it: taken over
  mutable std::mutex fence_mutex_;
  std::shared_ptr<const storage::Fence> fence_;
};

}  // namespace pollux::host
