#include "host/input_queue.h"

#include <sys/prctl.h>

#include <chrono>
#include <iterator>
#include <variant>

#include "host/clock.h"

namespace pollux::host {
namespace {

// A thread that waits for a guest's timer wants to wake at the deadline, not 50 us later (the system's default).
void ask_for_exact_timers() {
  static thread_local const bool asked = prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL) == 0;
  (void)asked;
}

}  // namespace

bool InputQueue::admit(const door::Input& input) {
  if (std::holds_alternative<door::PacketInput>(input)) {
    if (quiet_) return false;
    if (packets_ns_.size() == kMaxPackets) {
      ++packets_dropped_;
      return false;
    }
    packets_ns_.push_back(monotonic_ns());
  } else if (const auto* console = std::get_if<door::ConsoleInput>(&input)) {
    if (quiet_) return false;
    if (console_bytes_ + console->bytes.size() > kMaxConsoleBytes) {
      console_bytes_dropped_ += console->bytes.size();
      return false;
    }
    console_bytes_ += console->bytes.size();
  }
  return true;
}

bool InputQueue::push(door::Input input) {
  bool wake_sleeper;
  {
    std::lock_guard lock(mutex_);
    if (!admit(input)) return false;
    waiting_.push_back(std::move(input));
    ready_.store(true, std::memory_order_release);
    wake_sleeper = sleeping_;
  }
  if (wake_sleeper) changed_.notify_one();
  return true;
}

void InputQueue::set_quiet(bool quiet) {
  std::lock_guard lock(mutex_);
  quiet_ = quiet;
}

void InputQueue::notify() {
  bool wake_sleeper;
  {
    std::lock_guard lock(mutex_);
    ready_.store(true, std::memory_order_release);
    wake_sleeper = sleeping_;
  }
  if (wake_sleeper) changed_.notify_one();
}

void InputQueue::wait(u64 deadline_ns, std::vector<door::Input>& arrived) {
  if (!ready_.load(std::memory_order_acquire) && (deadline_ns == 0 || monotonic_ns() >= deadline_ns)) return;
  std::unique_lock lock(mutex_);
  if (!ready_.load(std::memory_order_relaxed)) {
    ask_for_exact_timers();
    sleeping_ = true;
    const auto is_ready = [this] { return ready_.load(std::memory_order_relaxed); };
    constexpr u64 kFar = u64{1} << 62;  // beyond what the clock's type holds
    if (deadline_ns >= kFar) {
      changed_.wait(lock, is_ready);
    } else {
      using Clock = std::chrono::steady_clock;
      changed_.wait_until(lock, Clock::time_point(std::chrono::nanoseconds(deadline_ns)), is_ready);
    }
    sleeping_ = false;
  }
  ready_.store(false, std::memory_order_relaxed);
  if (arrived.empty()) {
    arrived.swap(waiting_);
  } else {
    arrived.insert(arrived.end(), std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
    waiting_.clear();
  }
  console_bytes_ = 0;
  if (packets_ns_.empty()) return;
  const u64 now_ns = monotonic_ns();
  for (const u64 arrived_ns : packets_ns_) packet_waits_.add(now_ns - arrived_ns);
  packets_ns_.clear();
}

WaitTimes InputQueue::packet_waits() const {
  std::lock_guard lock(mutex_);
  return packet_waits_;
}

}  // namespace pollux::host
