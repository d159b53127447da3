#include "failover/driver/file_fence.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pollux::failover::driver {

Result<std::unique_ptr<FileFence>> FileFence::open(const FileArbiter& arbiter) {
  const std::string name = arbiter.machine() + ".fence";
  Descriptor file(::openat(arbiter.directory(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return fail(ErrorKind::kEnvironment, "the arbiter's file " + name + " cannot be opened: " + std::strerror(errno));
  return std::unique_ptr<FileFence>(new FileFence(std::move(file)));
}

bool FileFence::lock(short type) {
  struct flock whole{};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  return ::fcntl(file_.get(), F_OFD_SETLK, &whole) == 0;
}

bool FileFence::read(Generation& generation) {
  char text[32] = {};
  const ssize_t count = ::pread(file_.get(), text, sizeof text - 1, 0);
  if (count < 0) return false;
  generation = Generation(std::strtoull(text, nullptr, 10));  // a new file is empty: none yet
  return true;
}

FenceAnswer FileFence::enter(Generation generation) {
  std::lock_guard guard(mutex_);
  if (!lock(F_WRLCK)) return FenceAnswer::kUnreachable;
  Generation newest;
  if (read(newest) && newest <= generation) {
    inside_ = true;
    return FenceAnswer::kMine;
  }
  const bool known = newest > generation;
  lock(F_UNLCK);
  return known ? FenceAnswer::kFenced : FenceAnswer::kUnreachable;
}

void FileFence::leave() {
  std::lock_guard guard(mutex_);
  inside_ = false;
  lock(F_UNLCK);
}

FenceAnswer FileFence::raise(Generation generation) {
  std::lock_guard guard(mutex_);
  if (!lock(F_WRLCK)) return FenceAnswer::kUnreachable;  // held by this side already: the same lock again
  FenceAnswer answer = FenceAnswer::kUnreachable;
  Generation newest;
  if (read(newest)) {
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%020llu\n", static_cast<unsigned long long>(generation.value));
    if (newest > generation) {
      answer = FenceAnswer::kFenced;
    } else if (::pwrite(file_.get(), text, std::size_t(length), 0) == length && ::fsync(file_.get()) == 0) {
      answer = FenceAnswer::kMine;
    }
  }
  if (!inside_) lock(F_UNLCK);
  return answer;
}

}  // namespace pollux::failover::driver
