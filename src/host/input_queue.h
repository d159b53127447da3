// What has arrived from outside and was not yet taken by the session. Sources push from their threads; the session
// takes. Order of arrival is kept.
//
// Invariants
//  1. A disk completion, a link change, the power button and a stop are never dropped.
//  2. At most kMaxPackets packets and kMaxConsoleBytes bytes of typing wait; more is refused and counted.
//  3. While the queue is quiet (a backup before its promotion) packets and typing are refused, uncounted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "door/input.h"
#include "host/wait_times.h"

namespace pollux::host {

class InputQueue {
 public:
  static constexpr std::size_t kMaxPackets = 4096;
  static constexpr std::size_t kMaxConsoleBytes = 1 << 16;

  // False: refused. Thread-safe.
  bool push(door::Input input);
  void set_quiet(bool quiet);

  // The contract of World::wait and World::notify.
  void wait(u64 deadline_ns, std::vector<door::Input>& arrived);
  void notify();
  const std::atomic<bool>* arrival() const { return &ready_; }

  u64 packets_dropped() const { return packets_dropped_; }
  // Of packets, from push() until the session took them. Thread-safe.
  WaitTimes packet_waits() const;
  u64 console_bytes_dropped() const { return console_bytes_dropped_; }

 private:
  bool admit(const door::Input& input);
  void wake();

  std::atomic<bool> ready_ = false;  // something waits, or notify() was called; read without the lock
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<door::Input> waiting_;
  std::vector<u64> packets_ns_;    // when the packets in waiting_ arrived
  std::size_t console_bytes_ = 0;  // in waiting_
  WaitTimes packet_waits_;
  bool sleeping_ = false;          // the session waits on changed_
  bool quiet_ = false;
  std::atomic<u64> packets_dropped_ = 0;
  std::atomic<u64> console_bytes_dropped_ = 0;
};

}  // namespace pollux::host
