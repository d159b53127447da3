// One thread that waits for descriptors and deadlines and calls their owners. LinuxWorld runs its console, network
// cards and disk completions on one.
//
// Invariants
//  1. A source's ready() runs on the reactor's thread only, and never after stop() has returned.
//  2. interest() is asked again before each wait; wake() makes the reactor ask now.
// Not for many descriptors: it asks every source each time.
#pragma once

#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/integers.h"
#include "host/event_fd.h"

namespace pollux::host {

class Source {
 public:
  static constexpr u64 kNoDeadline = ~u64{0};
  virtual ~Source() = default;

  // The descriptor (-1: none now) and the poll events to wait for.
  virtual pollfd interest() = 0;
  // When ready(0) should be called though nothing arrived.
  virtual u64 deadline_ns() { return kNoDeadline; }
  // The events that arrived; 0 when the deadline has passed.
  virtual void ready(short events) = 0;
};

class Reactor {
 public:
  Reactor() = default;
  ~Reactor() { stop(); }

  // Before start(). The source must outlive the reactor's stop().
  void add(Source& source) { sources_.push_back(&source); }
  void start();
  void stop();
  void wake() const { wake_.signal(); }

 private:
  void loop();

  std::vector<Source*> sources_;
  EventFd wake_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace pollux::host
