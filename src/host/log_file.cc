#include "host/log_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "host/file.h"
#include "host/stop_signals.h"
#include "host/system_error.h"

namespace pollux::host {

Result<std::unique_ptr<LogFile>> LogFile::create(const std::string& path) {
  ignore_write_signals();
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return system_fail("the log " + path + " cannot be made", errno, "choose a folder that exists and may be written");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fail(ErrorKind::kEnvironment, "the log " + path + " is being written by another process: choose another name");
  }
  [[maybe_unused]] const int emptied = ::ftruncate(fd.get(), 0);  // a pipe or device has nothing to empty
  return std::unique_ptr<LogFile>(new LogFile(std::move(fd), path));
}

Result<void> LogFile::write(ByteSpan bytes) {
  if (failed_) return fail(ErrorKind::kEnvironment, "the log " + path_ + " ended at an earlier error: start the run again");
  const int error = write_all(fd_.get(), bytes);
  if (error == 0) {
    bytes_written_ += bytes.size();
    return {};
  }
  failed_ = true;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return system_fail("the log " + path_ + " cannot be written", error,
                     full ? "make room where it is kept, or record elsewhere; it can be replayed up to its last good frame"
                          : "check the storage; it can be replayed up to its last good frame");
}

Result<void> LogFile::sync(Survives what) {
  if (what == Survives::kProcess || ::fdatasync(fd_.get()) == 0 || errno == EINVAL || errno == EROFS) return {};
  failed_ = true;
  return system_fail("the log " + path_ + " cannot be brought to the storage", errno, "check the storage");
}

}  // namespace pollux::host
