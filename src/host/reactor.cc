#include "host/reactor.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "host/clock.h"
#include "host/sandbox.h"

namespace pollux::host {
namespace {

timespec until(u64 deadline_ns, u64 now_ns) {
  const u64 left = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  return {time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
}

}  // namespace

void Reactor::start() {
  // Signals are for the main thread: a handler must not run in the middle of a source.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { loop(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "pollux-world");
}

void Reactor::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wake();
  thread_.join();
}

void Reactor::loop() {
  drop_capabilities();
  std::vector<pollfd> waits(sources_.size() + 1);
  while (!stopping_) {
    u64 deadline = Source::kNoDeadline;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      waits[i] = sources_[i]->interest();
      waits[i].revents = 0;
      deadline = std::min(deadline, sources_[i]->deadline_ns());
    }
    waits.back() = {wake_.fd(), POLLIN, 0};
    const timespec timeout = until(deadline, monotonic_ns());
    const int count = ppoll(waits.data(), waits.size(), deadline == Source::kNoDeadline ? nullptr : &timeout, nullptr);
    if (count < 0) continue;  // EINTR
    if (waits.back().revents) wake_.drain();
    const u64 now = monotonic_ns();
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const short events = waits[i].fd >= 0 ? waits[i].revents : short(0);
      if (events || sources_[i]->deadline_ns() <= now) sources_[i]->ready(events);
    }
  }
}

}  // namespace pollux::host
