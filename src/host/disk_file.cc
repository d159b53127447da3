#include "host/disk_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <array>
#include <cerrno>

#include "base/checksum.h"
#include "host/clock.h"
#include "host/system_error.h"

namespace pollux::host {
namespace {

constexpr u64 kSectorBytes = 512;

// True when the lock was taken; else errno says why.
bool lock(int fd, short type) {
  struct flock whole{};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

Result<u64> size_of(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return system_fail("disk " + path + " cannot be examined", errno, "check the storage");
  u64 bytes = u64(status.st_size);
  if (S_ISBLK(status.st_mode)) {
    if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) {
      return system_fail("the size of disk " + path + " cannot be read", errno, "check the device");
    }
  } else if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::kEnvironment, "disk " + path + " is neither a file nor a block device: name a raw disk image");
  }
  if (bytes == 0) {
    return fail(ErrorKind::kEnvironment, "disk " + path + " is empty: make an image first, for example with truncate -s 2G");
  }
  if (bytes % kSectorBytes != 0) {
    return fail(ErrorKind::kEnvironment, "disk " + path + " is short: " + std::to_string(bytes) +
                                             " bytes is not a multiple of 512; it is cut off, or not a raw disk image");
  }
  return bytes;
}

// Whether no other host can write it: a file in a file system of which this is known.
bool is_of_this_host(int fd) {
  struct stat status {};
  struct statfs system {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || ::fstatfs(fd, &system) != 0) return false;
  switch (u64(system.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case TMPFS_MAGIC: return true;
    default: return false;
  }
}

}  // namespace

Result<std::shared_ptr<DiskFile>> DiskFile::open(const std::string& path, Access access) {
  const int how = access == Access::kReadOnly ? O_RDONLY : O_RDWR;
  // Non-blocking so that a named pipe is refused rather than waited for.
  Fd fd(::open(path.c_str(), how | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    switch (errno) {
      case ENOENT: return fail(ErrorKind::kEnvironment, "disk " + path + " does not exist: check the path");
      case EISDIR: return fail(ErrorKind::kEnvironment, "disk " + path + " is a folder: name a raw disk image");
      case EACCES:
      case EROFS:
      case EPERM:
        if (access == Access::kReadWrite && ::access(path.c_str(), R_OK) == 0) {
          return fail(ErrorKind::kEnvironment,
                      "disk " + path + " is read-only: add ,ro to its option, or make it writable");
        }
        [[fallthrough]];
      default: return system_fail("disk " + path + " cannot be opened", errno, "check its permissions");
    }
  }
  // io_uring would take it as "fail rather than wait for the disk".
  ::fcntl(fd.get(), F_SETFL, 0);
  Result<u64> bytes = size_of(fd.get(), path);
  if (!bytes) return pass(bytes);
  return std::shared_ptr<DiskFile>(new DiskFile(std::move(fd), path, *bytes, access));
}

u64 DiskFile::identity() const {
  // The first sector holds a partition table; bytes 1128 to 1143 the UUID of an ext2, ext3 or ext4 file system that
  // fills the whole disk. Neither changes while a guest runs, unlike the rest of a superblock.
  std::array<std::byte, kSectorBytes + 16> bytes{};
  [[maybe_unused]] ssize_t got = ::pread(fd_.get(), bytes.data(), kSectorBytes, 0);
  got = ::pread(fd_.get(), bytes.data() + kSectorBytes, 16, 1128);
  return checksum(bytes, size_bytes_);
}

Result<void> DiskFile::acquire(u64 wait_ms) {
  if (acquired_) return {};
  const u64 deadline = monotonic_ns() + wait_ms * kNanosecondsPerMs;
  while (!lock(fd_.get(), read_only() ? F_RDLCK : F_WRLCK)) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EACCES) {
      return system_fail("disk " + path_ + " cannot be locked", errno, "use storage that supports file locks");
    }
    if (monotonic_ns() >= deadline) {
      return fail(ErrorKind::kEnvironment, "disk " + path_ +
                                               " is in use by another machine: stop that machine, use a copy, or add ,ro "
                                               "on both sides");
    }
    // There is no lock call with a time limit; a dying owner lets go within milliseconds.
    const timespec moment{0, 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
  locked_ = true;
  look_again();
  acquired_ = true;
  return {};
}

void DiskFile::take_over() {
  if (acquired_) return;
  look_again();
  acquired_ = true;
}

// What another host wrote since this one last looked must be read from the storage. Where none can, this would take
// longer than all the rest of a failover: it begins to write what is in the page cache.
void DiskFile::look_again() {
  if (!is_of_this_host(fd_.get())) ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
}

void DiskFile::release() {
  if (acquired_.exchange(false) && locked_.exchange(false)) lock(fd_.get(), F_UNLCK);
}

void DiskFile::set_fence(storage::Fence fence) {
  auto shared = std::make_shared<const storage::Fence>(std::move(fence));
  std::lock_guard guard(fence_mutex_);
  fence_ = std::move(shared);
}

bool DiskFile::may_write() const {
  if (read_only() || !acquired_) return false;
  if (!locked_ && lock(fd_.get(), F_WRLCK)) locked_ = true;
  std::shared_ptr<const storage::Fence> fence;
  {
    std::lock_guard guard(fence_mutex_);
    fence = fence_;
  }
  return !fence || !*fence || (*fence)();
}

}  // namespace pollux::host
