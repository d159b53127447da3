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

bool is_socket(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

Result<UnixListener> UnixListener::create(const std::string& path, int type, const std::string& what) {
  sockaddr_un address;
  if (!fill_address(path, address)) {
    return fail(ErrorKind::kUsage, "the socket path '" + path + "' for " + what + " must have 1 to 107 characters: choose another");
  }
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_fail("no socket can be made for " + what, errno, "close other programs and try again");
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(fd.get(), plain, sizeof address) != 0) {
    if (errno != EADDRINUSE) {
      return system_fail(path + " cannot be made for " + what, errno, "choose a folder that exists and may be written");
    }
    if (!is_socket(path)) {
      return fail(ErrorKind::kEnvironment, path + " exists and is not a socket: remove it or choose another path for " + what);
    }
    const Fd other = connect_unix(path, type);
    if (other || errno != ECONNREFUSED) {
      return fail(ErrorKind::kEnvironment, path + " is in use by another process: stop it or choose another path for " + what);
    }
    ::unlink(path.c_str());  // left behind by a process that was killed
    if (::bind(fd.get(), plain, sizeof address) != 0) {
      return system_fail(path + " cannot be made for " + what, errno, "remove the file or choose another path");
    }
  }
  struct stat status{};
  ::lstat(path.c_str(), &status);
  UnixListener listener(std::move(fd), path, status.st_ino);
  if (::listen(listener.fd(), 128) != 0) {
    return system_fail(path + " cannot be listened on", errno, "choose another path for " + what);
  }
  return listener;
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
