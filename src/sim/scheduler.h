// Virtual time for a simulation: events at times, run in order. Events at one time run in the order in which they were
// planned, so a run is a function of its seed.
#pragma once

#include <algorithm>
#include <functional>
#include <queue>
#include <vector>

#include "base/integers.h"

namespace pollux::sim {

class Scheduler {
 public:
  using Event = std::function<void()>;

  u64 now_ns() const { return now_ns_; }
  void at(u64 time_ns, Event event) { events_.push({std::max(time_ns, now_ns_), next_++, std::move(event)}); }
  void after(u64 delay_ns, Event event) { at(now_ns_ + delay_ns, std::move(event)); }

  // Runs the next event. False: there is none before the time; then it is that time.
  bool step(u64 until_ns) {
    if (events_.empty() || events_.top().time_ns > until_ns) {
      now_ns_ = std::max(now_ns_, until_ns);
      return false;
    }
    // The queue hands out constant references only; the event leaves it at once.
    Planned planned = std::move(const_cast<Planned&>(events_.top()));
    events_.pop();
    now_ns_ = planned.time_ns;
    planned.event();
    return true;
  }

 private:
  struct Planned {
    u64 time_ns;
    u64 number;
    Event event;
    bool operator<(const Planned& other) const {  // the queue's top is the largest
      return time_ns != other.time_ns ? time_ns > other.time_ns : number > other.number;
    }
  };
  std::priority_queue<Planned> events_;
  u64 now_ns_ = 0;
  u64 next_ = 0;
};

}  // namespace pollux::sim
