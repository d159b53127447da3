// What the parts of one simulation share: time, luck, the two hosts and who is looking.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/random.h"
#include "sim/host.h"
#include "sim/observer.h"
#include "sim/scheduler.h"

namespace pollux::sim {

struct Shared {
  explicit Shared(u64 seed) : random(seed) {}

  Scheduler scheduler;
  Random random;
  std::array<std::unique_ptr<Host>, 2> hosts;
  std::vector<Observer*> observers;

  Host& host(Side side) { return *hosts[std::size_t(side)]; }
  u64 between(u64 low, u64 high) { return low + random.below(high - low + 1); }

  template <class... Parameters, class... Arguments>
  void tell(void (Observer::*what)(Parameters...), const Arguments&... arguments) {
    for (Observer* observer : observers) (observer->*what)(arguments...);
  }
};

}  // namespace pollux::sim
