// Unix sockets by path: the switch's (sequenced packets, one Ethernet frame a message) and a console's (a stream).
#pragma once

#include <sys/socket.h>

#include <string>

#include "base/result.h"
#include "host/fd.h"

namespace pollux::host {

// A listening socket and its file, which goes with it unless somebody has replaced it.
class UnixListener {
 public:
  // type: SOCK_STREAM or SOCK_SEQPACKET. A socket file that nobody listens on any more is replaced; anything else
  // at the path is left alone and an error. what: names the socket in sentences, e.g. "the switch".
  static Result<UnixListener> create(const std::string& path, int type, const std::string& what);

  UnixListener(UnixListener&&) = default;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

  int fd() const { return fd_.get(); }
  // A new connection, non-blocking; empty when none waits.
  Fd accept() const;

 private:
  UnixListener(Fd fd, std::string path, unsigned long inode) : fd_(std::move(fd)), path_(std::move(path)), inode_(inode) {}
  Fd fd_;
  std::string path_;
  unsigned long inode_;
};

// A non-blocking connection, or nothing, with errno set to why. Never waits.
Fd connect_unix(const std::string& path, int type);

}  // namespace pollux::host
