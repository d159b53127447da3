#include "sim/host.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pollux::sim {

void Host::post(u64 delay_ns, Scheduler::Event event) {
  scheduler_.after(delay_ns, [this, exists = std::weak_ptr(exists_), event = std::move(event)]() mutable {
    if (exists.lock()) run(std::move(event));
  });
}

void Host::run(Scheduler::Event event) {
  if (!alive_) return;
  if (paused()) {
    post(paused_until_ns_ - scheduler_.now_ns(), std::move(event));
    return;
  }
  event();
}

void Host::start(std::function<void()> body) {
  fiber_ = std::make_unique<Fiber>(std::move(body));
  post(0, [this] { fiber_->resume(); });
}

bool Host::wait(u64 delay_ns, bool may_wake) {
  POLLUX_CHECK(in_fiber(), "only the fiber waits");
  if (!alive_) return false;
  if (may_wake && std::exchange(woken_, false)) return true;
  may_wake_ = may_wake;
  const u64 number = ++waits_;
  constexpr u64 kForever = 1'000'000'000'000'000;
  if (delay_ns < kForever) {
    post(delay_ns, [this, number] {
      if (number == waits_) fiber_->resume();
    });
  }
  fiber_->yield();
  ++waits_;
  may_wake_ = false;
  return alive_;
}

void Host::wake() {
  if (!may_wake_) {
    woken_ = true;
    return;
  }
  may_wake_ = false;
  post(0, [this, number = waits_] {
    if (number == waits_) fiber_->resume();
  });
}

void Host::pause(u64 duration_ns) { paused_until_ns_ = std::max(paused_until_ns_, scheduler_.now_ns() + duration_ns); }

void Host::kill() {
  if (!alive_) return;
  alive_ = false;
  if (!fiber_ || fiber_->done()) return;
  POLLUX_CHECK(!fiber_->running(), "a host dies between events");
  ++waits_;
  fiber_->resume();  // finds the host dead and returns
  POLLUX_CHECK(fiber_->done(), "a dead host's process ends");
}

}  // namespace pollux::sim
