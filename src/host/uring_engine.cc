#include <fcntl.h>
#include <liburing.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "host/disk_engine.h"
#include "host/event_fd.h"
#include "host/system_error.h"

namespace pollux::host {
namespace {

constexpr unsigned kEntries = 512;
constexpr u64 kMaxTransfer = 1 << 30;  // one step's length is a 32-bit number to the kernel

class UringEngine final : public DiskEngine, public Source {
 public:
  explicit UringEngine(Done done) : done_(std::move(done)) {}

  ~UringEngine() override {
    if (made_) io_uring_queue_exit(&ring_);
  }

  // The kernel writes into buffers of whoever submitted: nothing may be in flight when they go.
  void drain() override {
    while (true) {
      {
        std::lock_guard lock(mutex_);
        if (in_flight_ == 0) return;
        io_uring_cqe* cqe = nullptr;
        io_uring_wait_cqe(&ring_, &cqe);
      }
      reap();
    }
  }

  int setup() {
    if (const int error = io_uring_queue_init(kEntries, &ring_, 0); error < 0) return error;
    made_ = true;
    io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
    bool complete = probe != nullptr;
    for (int op : {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_FALLOCATE}) {
      complete = complete && io_uring_opcode_supported(probe, op);
    }
    if (probe) io_uring_free_probe(probe);
    if (!complete) return -ENOSYS;
    return io_uring_register_eventfd(&ring_, completed_.fd());
  }

  const char* name() const override { return "io_uring"; }
  Source* source() override { return this; }
  pollfd interest() override { return {completed_.fd(), POLLIN, 0}; }
  void ready(short) override {
    completed_.drain();
    reap();
  }

  void submit(const Step& step) override {
    std::vector<Result> results;
    {
      std::lock_guard lock(mutex_);
      // What completes at once (cached pages) is taken below; the reactor need not be woken for it. Anything that
      // completes between the last look and the switch back on is found by looking again.
      io_uring_cq_eventfd_toggle(&ring_, false);
      prepare(step);
      enter(results);
      take(results);
      io_uring_cq_eventfd_toggle(&ring_, true);
      take(results);
    }
    report(results);
  }

 private:
  struct Result {
    u64 tag;
    i64 value;
  };

  void prepare(const Step& step) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    POLLUX_CHECK(sqe, "every entry is submitted as soon as it is prepared");
    const auto length = unsigned(std::min(step.length, kMaxTransfer));
    switch (step.kind) {
      case StepKind::kRead: io_uring_prep_read(sqe, step.fd, step.data, length, step.offset); break;
      case StepKind::kWrite:
        io_uring_prep_write(sqe, step.fd, step.data, length, step.offset);
        if (step.durable) sqe->rw_flags = RWF_DSYNC;
        break;
      case StepKind::kSync: io_uring_prep_fsync(sqe, step.fd, IORING_FSYNC_DATASYNC); break;
      case StepKind::kPunch:
        io_uring_prep_fallocate(sqe, step.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(step.offset), off_t(step.length));
        break;
      case StepKind::kZero:
        io_uring_prep_fallocate(sqe, step.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, off_t(step.offset), off_t(step.length));
        break;
    }
    io_uring_sqe_set_data64(sqe, step.tag);
    ++in_flight_;
  }

  void enter(std::vector<Result>& results) {
    int submitted;
    while ((submitted = io_uring_submit(&ring_)) < 0) {
      // Busy: completions that were not fetched must be, first.
      POLLUX_CHECK(submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY, "the kernel takes a request");
      take(results);
    }
  }

  void take(std::vector<Result>& results) {
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe) {
      results.push_back({io_uring_cqe_get_data64(cqe), cqe->res});
      io_uring_cqe_seen(&ring_, cqe);
      --in_flight_;
    }
  }

  void reap() {
    std::vector<Result> results;
    {
      std::lock_guard lock(mutex_);
      take(results);
    }
    report(results);
  }

  void report(const std::vector<Result>& results) {
    for (const Result& result : results) done_(result.tag, result.value);
  }

  Done done_;
  std::mutex mutex_;
  io_uring ring_{};
  bool made_ = false;
  std::size_t in_flight_ = 0;
  EventFd completed_;
};

}  // namespace

Result<std::unique_ptr<DiskEngine>> make_uring_engine(DiskEngine::Done done) {
  auto engine = std::make_unique<UringEngine>(std::move(done));
  if (const int error = engine->setup(); error < 0) {
    return system_fail("this host does not permit io_uring", -error, "disks are served by threads instead");
  }
  return engine;
}

}  // namespace pollux::host
