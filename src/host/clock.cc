#include "host/clock.h"

#include <sys/random.h>
#include <time.h>

#include <cerrno>

#include "base/check.h"

namespace pollux::host {
namespace {

u64 read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return u64(now.tv_sec) * 1'000'000'000 + u64(now.tv_nsec);
}

}  // namespace

u64 monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
u64 unix_ns() { return read_clock(CLOCK_REALTIME); }

void fill_random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    POLLUX_CHECK(got > 0 || errno == EINTR, "the kernel gives random bytes");
    if (got > 0) bytes = bytes.subspan(std::size_t(got));
  }
}

}  // namespace pollux::host
