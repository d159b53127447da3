#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "host/disk_engine.h"
#include "host/sandbox.h"

namespace pollux::host {
namespace {

constexpr int kThreads = 4;

i64 perform(const Step& step) {
  const auto length = std::size_t(step.length);
  const auto offset = off_t(step.offset);
  i64 result = -1;
  const iovec buffer{step.data, length};
  switch (step.kind) {
    case StepKind::kRead: result = ::preadv(step.fd, &buffer, 1, offset); break;
    case StepKind::kWrite: result = ::pwritev2(step.fd, &buffer, 1, offset, step.durable ? RWF_DSYNC : 0); break;
    case StepKind::kSync: result = ::fdatasync(step.fd); break;
    case StepKind::kPunch:
      result = ::fallocate(step.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, off_t(step.length));
      break;
    case StepKind::kZero:
      result = ::fallocate(step.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, off_t(step.length));
      break;
  }
  return result < 0 ? -errno : result;
}

class ThreadEngine final : public DiskEngine {
 public:
  explicit ThreadEngine(Done done) : done_(std::move(done)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this] { work(); });
      pthread_setname_np(threads_.back().native_handle(), "pollux-disk");
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~ThreadEngine() override { drain(); }

  void drain() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  const char* name() const override { return "threads"; }

  void submit(const Step& step) override {
    {
      std::lock_guard lock(mutex_);
      steps_.push_back(step);
    }
    changed_.notify_one();
  }

 private:
  void work() {
    drop_capabilities();
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !steps_.empty(); });
      if (steps_.empty()) return;  // stopping, and all that was asked is done
      const Step step = steps_.front();
      steps_.pop_front();
      lock.unlock();
      done_(step.tag, perform(step));
      lock.lock();
    }
  }

  Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Step> steps_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<DiskEngine> make_thread_engine(DiskEngine::Done done) {
  return std::make_unique<ThreadEngine>(std::move(done));
}

}  // namespace pollux::host
