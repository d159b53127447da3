// A simulated host: a clock of its own, one process, and the misfortunes of both. Everything the process does runs
// through post() and the one fiber, so that a pause (SIGSTOP, swapping, a hypervisor above) defers it and death ends it.
//
// Invariants
//  1. After kill() no posted event runs and the fiber, resumed once more, finds alive() false and must return.
//  2. During a pause nothing of the host runs; what was due then runs afterwards, in its order.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sim/fiber.h"
#include "sim/scheduler.h"

namespace pollux::sim {

enum class Side : u8 { kA, kB };  // A starts as the primary
inline const char* name(Side side) { return side == Side::kA ? "A" : "B"; }
inline Side other(Side side) { return side == Side::kA ? Side::kB : Side::kA; }

struct HostClock {
  u64 offset_ns = 0;
  double drift = 0;  // 50e-6: fast by 50 parts in a million
};

class Host {
 public:
  Host(Scheduler& scheduler, Side side, HostClock clock) : scheduler_(scheduler), side_(side), clock_(clock) {}
  ~Host() { kill(); }

  Side side() const { return side_; }
  bool alive() const { return alive_; }
  bool paused() const { return scheduler_.now_ns() < paused_until_ns_; }
  u64 clock_ns() const { return clock_.offset_ns + u64(double(scheduler_.now_ns()) * (1 + clock_.drift)); }

  // Runs the event on this host after the delay.
  void post(u64 delay_ns, Scheduler::Event event);

  // The process's one thread of waiting code.
  void start(std::function<void()> body);
  // In the fiber: time passes. False: the host died.
  bool sleep(u64 delay_ns) { return wait(delay_ns, false); }
  // In the fiber: until wake(), or the delay. False: the host died.
  bool sleep_or_wake(u64 delay_ns) { return wait(delay_ns, true); }
  void wake();
  bool in_fiber() const { return fiber_ && fiber_->running(); }

  void pause(u64 duration_ns);
  void kill();

 private:
  bool wait(u64 delay_ns, bool may_wake);
  void run(Scheduler::Event event);

  Scheduler& scheduler_;
  Side side_;
  HostClock clock_;
  bool alive_ = true;
  u64 paused_until_ns_ = 0;
  std::unique_ptr<Fiber> fiber_;
  u64 waits_ = 0;          // number of the wait under way
  bool may_wake_ = false;  // the wait ends with wake()
  bool woken_ = false;     // wake() came while nobody waited
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);
};

}  // namespace pollux::sim
