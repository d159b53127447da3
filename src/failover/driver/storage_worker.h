// Questions to storage, asked on a thread of their own: a file system that hangs must not silence heartbeats.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace pollux::failover::driver {

class StorageWorker {
 public:
  StorageWorker() : thread_([this] { run(); }) {}
  ~StorageWorker() { stop(); }

  // Waits for the task under way; later ones are not asked.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
      tasks_.clear();
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void ask(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      if (ending_) return;
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
      if (ending_) return;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace pollux::failover::driver
