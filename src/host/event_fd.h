// Wakes a thread that waits in poll(2). signal() may be called from any thread and from a signal handler.
#pragma once

#include <sys/eventfd.h>

#include "base/check.h"
#include "base/integers.h"
#include "host/fd.h"

namespace pollux::host {

class EventFd {
 public:
  EventFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    POLLUX_CHECK(bool(fd_), "this process has a descriptor left");
  }
  int fd() const { return fd_.get(); }
  void signal() const {
    const u64 one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
  }
  void drain() const {
    u64 count;
    [[maybe_unused]] const auto got = ::read(fd_.get(), &count, sizeof count);
  }

 private:
  Fd fd_;
};

}  // namespace pollux::host
