#include "host/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "host/fd.h"
#include "host/system_error.h"

namespace pollux::host {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string beside(const std::string& path) {
  static std::atomic<unsigned> count = 0;
  return path + ".new." + std::to_string(::getpid()) + "." + std::to_string(++count);
}

// Writes a file of a new name that is on the storage when this returns; 0 or an errno.
int write_new(const std::string& path, ByteSpan bytes, mode_t mode) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return errno;
  if (const int error = write_all(fd.get(), bytes)) return error;
  return ::fsync(fd.get()) == 0 ? 0 : errno;
}

void sync_folder(const std::string& path) {
  const Fd fd(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

constexpr const char* kAdvice = "check the folder's permissions and free space";

}  // namespace

int write_all(int fd, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return ENOSPC;
    bytes = bytes.subspan(std::size_t(written));
  }
  return 0;
}

Result<Bytes> read_file(const std::string& path, const std::string& what, u64 max_bytes) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return fail(ErrorKind::kEnvironment, what + " " + path + " does not exist: check the path");
  if (!fd) return system_fail(what + " " + path + " cannot be read", errno, "check its permissions");
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::kEnvironment, what + " " + path + " is a folder: name a file");
  }
  Bytes bytes;
  bytes.reserve(std::size_t(status.st_size) + 1);
  while (bytes.size() <= max_bytes) {
    const std::size_t before = bytes.size();
    bytes.resize(std::max<std::size_t>(bytes.capacity(), before + 65536));
    const ssize_t got = ::read(fd.get(), bytes.data() + before, bytes.size() - before);
    bytes.resize(before + std::size_t(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    if (got < 0 && errno != EINTR) return system_fail(what + " " + path + " cannot be read", errno, "check the storage");
  }
  return fail(ErrorKind::kFormat, what + " " + path + " is larger than " + std::to_string(max_bytes >> 20) + " MiB: it is not what it should be");
}

Result<void> write_file_atomically(const std::string& path, ByteSpan bytes, mode_t mode) {
  const std::string fresh = beside(path);
  int error = write_new(fresh, bytes, mode);
  if (error == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error) {
    ::unlink(fresh.c_str());
    return system_fail(path + " cannot be written", error, kAdvice);
  }
  sync_folder(path);
  return {};
}

Result<Created> create_file(const std::string& path, ByteSpan bytes, mode_t mode) {
  // A link fails when the name is taken, and the name appears with its contents complete.
  const std::string fresh = beside(path);
  int error = write_new(fresh, bytes, mode);
  if (error == 0 && ::link(fresh.c_str(), path.c_str()) != 0) error = errno;
  ::unlink(fresh.c_str());
  if (error == EEXIST) return Created::kExists;
  if (error) return system_fail(path + " cannot be made", error, kAdvice);
  sync_folder(path);
  return Created::kNew;
}

}  // namespace pollux::host
