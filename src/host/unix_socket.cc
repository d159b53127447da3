#include "host/unix_socket.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "host/system_error.h"

namespace pollux::host {
namespace {

bool fill_address(const std::string& path, sockaddr_un& address) {
  address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

// A second opener of the path is either refused here or replaces a file that nobody listens behind.
Result<void> check_free(const std::string& path, int type, const std::string& what) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorKind::kEnvironment,
                path + " exists and is not a socket: remove it or choose another path for " + what);
  }
  const Fd other = connect_unix(path, type);
  if (!other && errno == ECONNREFUSED) return {};  // left behind by a process that was killed
  return fail(ErrorKind::kEnvironment,
              path + " is in use by another process: stop it or choose another path for " + what);
}

}  // namespace

Result<UnixListener> UnixListener::create(const std::string& path, int type, const std::string& what) {
  // The socket gets its name when it listens already: whoever sees the file can connect.
  const std::string before = path + "." + std::to_string(::getpid());
  sockaddr_un address;
  if (path.empty() || !fill_address(before, address)) {
    return fail(ErrorKind::kUsage, "the socket path '" + path + "' for " + what + " must have 1 to 96 characters: choose another");
  }
  if (Result<void> is_free = check_free(path, type, what); !is_free) return pass(is_free);
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_fail("no socket can be made for " + what, errno, "close other programs and try again");
  ::unlink(before.c_str());
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(fd.get(), plain, sizeof address) != 0) {
    return system_fail(path + " cannot be made for " + what, errno, "choose a folder that exists and may be written");
  }
  struct stat status{};
  ::lstat(before.c_str(), &status);
  if (::listen(fd.get(), 128) != 0 || ::rename(before.c_str(), path.c_str()) != 0) {
    const int why = errno;
    ::unlink(before.c_str());
    return system_fail(path + " cannot be listened on", why, "choose another path for " + what);
  }
  return UnixListener(std::move(fd), path, status.st_ino);
}

UnixListener::~UnixListener() {
  struct stat status;
  if (fd_ && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
}

Fd UnixListener::accept() const { return Fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

Fd connect_unix(const std::string& path, int type) {
  sockaddr_un address;
  if (!fill_address(path, address)) return {};
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    fd.reset();
    errno = why;
  }
  return fd;
}

}  // namespace pollux::host
