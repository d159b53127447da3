#include <sys/socket.h>

#include <cerrno>
#include <mutex>

#include "host/clock.h"
#include "host/frame_port.h"
#include "host/nic.h"
#include "host/system_error.h"
#include "host/unix_socket.h"

namespace pollux::host {
namespace {

constexpr std::size_t kFramesAtOnce = 256;

class SwitchNic final : public Nic {
 public:
  SwitchNic(std::string path, Fd fd, Sinks sinks, std::function<void()> wake)
      : path_(std::move(path)), sinks_(std::move(sinks)), wake_(std::move(wake)), port_(make(std::move(fd))) {}

  void send(ByteSpan frame) override {
    bool waits = false;
    {
      std::lock_guard lock(mutex_);
      if (!port_ || !port_.send(frame)) {
        ++counters_.dropped;
        return;
      }
      ++counters_.sent;
      waits = port_.queued();
    }
    if (waits) wake_();
  }

  bool up() const override {
    std::lock_guard lock(mutex_);
    return bool(port_);
  }

  NicCounters counters() const override {
    std::lock_guard lock(mutex_);
    return counters_;
  }

  pollfd interest() override {
    std::lock_guard lock(mutex_);
    return {port_.fd(), port_.events(), 0};
  }

  u64 deadline_ns() override { return retry_at_ns_; }

  void ready(short events) override {
    if (retry_at_ns_ != kNoDeadline) return try_again();
    if (events & POLLOUT) {
      std::lock_guard lock(mutex_);
      port_.send_queued();
    }
    if (!(events & ~POLLOUT)) return;
    // Only this thread changes port_, and reading does not touch what send() uses.
    u64 received = 0;
    const auto state = port_.receive(kFramesAtOnce, [&](ByteSpan frame) {
      if (frame.empty()) return;
      ++received;
      sinks_.received(Bytes(frame.begin(), frame.end()));
    });
    {
      std::lock_guard lock(mutex_);
      counters_.received += received;
    }
    if (state == FramePort::State::kGone) lost();
  }

 private:
  static FramePort make(Fd fd) { return FramePort(std::move(fd), FramePort::Kind::kSocket, kMaxQueued); }

  void lost() {
    {
      std::lock_guard lock(mutex_);
      port_ = FramePort();
    }
    retry_at_ns_ = monotonic_ns() + kRetryMs * kNanosecondsPerMs;
    sinks_.link(false);
    sinks_.operator_line("the switch at " + path_ + " went away: the network link is down until it is started again");
  }

  void try_again() {
    Fd fd = connect_unix(path_, SOCK_SEQPACKET);
    if (!fd) {
      retry_at_ns_ = monotonic_ns() + kRetryMs * kNanosecondsPerMs;
      return;
    }
    {
      std::lock_guard lock(mutex_);
      port_ = make(std::move(fd));
    }
    retry_at_ns_ = kNoDeadline;
    sinks_.link(true);
    sinks_.operator_line("the switch at " + path_ + " is back: the network link is up");
  }

  const std::string path_;
  const Sinks sinks_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  FramePort port_;
  NicCounters counters_;
  u64 retry_at_ns_ = kNoDeadline;  // the reactor's thread only
};

}  // namespace

Result<std::unique_ptr<Nic>> make_switch_nic(const std::string& socket_path, Nic::Sinks sinks, std::function<void()> wake) {
  Fd fd = connect_unix(socket_path, SOCK_SEQPACKET);
  if (!fd) {
    return system_fail("no switch answers at " + socket_path, errno, "start one with: pollux switch " + socket_path);
  }
  return std::make_unique<SwitchNic>(socket_path, std::move(fd), std::move(sinks), std::move(wake));
}

}  // namespace pollux::host
