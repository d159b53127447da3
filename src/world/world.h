// The world as a session sees it: a clock, outputs that take effect, and inputs that arrive. host/ implements it on
// Linux, sim/ from a seed. Nothing above this folder waits, sleeps or asks the time.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "door/input.h"
#include "door/output.h"

namespace pollux::world {

class World {
 public:
  virtual ~World() = default;

  // Monotonic nanoseconds; the origin has no meaning.
  virtual u64 now_ns() = 0;
  // Nanoseconds since 1970 UTC.
  virtual u64 unix_ns() = 0;
  virtual void fill_random(std::span<std::byte> bytes) = 0;

  // Starts an output: sends the packet, submits the disk request, writes the console bytes. Never waits for the
  // device. A disk request is answered later by exactly one DiskCompletionInput. Thread-safe.
  virtual void perform(const door::Output& output) = 0;

  // Appends what has arrived, in order of arrival; if nothing has, waits until something does, notify() is called,
  // or now_ns() >= deadline_ns. A deadline that has passed means: do not wait. That case is cheap (no system call).
  virtual void wait(u64 deadline_ns, std::vector<door::Input>& arrived) = 0;

  // Ends a wait early. Thread-safe.
  virtual void notify() = 0;

  // Set from when something arrives, or notify() is called, until wait() takes it: whoever runs a machine may look at it
  // meanwhile. nullptr: nothing arrives but in wait() (a world of one thread).
  virtual const std::atomic<bool>* arrival() const { return nullptr; }
};

}  // namespace pollux::world
