#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "host/frame_port.h"
#include "host/nic.h"
#include "host/system_error.h"

namespace pollux::host {
namespace {

constexpr std::size_t kFramesAtOnce = 256;

class TapNic final : public Nic {
 public:
  TapNic(Fd fd, Sinks sinks, std::function<void()> wake)
      : sinks_(std::move(sinks)), wake_(std::move(wake)), port_(std::move(fd), FramePort::Kind::kTap, kMaxQueued) {}

  void send(ByteSpan frame) override {
    bool waits;
    {
      std::lock_guard lock(mutex_);
      const bool taken = port_.send(frame);
      ++(taken ? counters_.sent : counters_.dropped);
      waits = port_.queued();
    }
    if (waits) wake_();
  }

  bool up() const override { return true; }
  NicCounters counters() const override {
    std::lock_guard lock(mutex_);
    return counters_;
  }
  pollfd interest() override {
    std::lock_guard lock(mutex_);
    return {gone_ ? -1 : port_.fd(), port_.events(), 0};
  }

  void ready(short events) override {
    if (events & POLLOUT) {
      std::lock_guard lock(mutex_);
      port_.send_queued();
    }
    if (!(events & ~POLLOUT)) return;
    u64 received = 0;
    const auto state = port_.receive(kFramesAtOnce, [&](ByteSpan frame) {
      ++received;
      sinks_.received(Bytes(frame.begin(), frame.end()));
    });
    std::lock_guard lock(mutex_);
    counters_.received += received;
    if (state == FramePort::State::kGone || (events & POLLERR)) {
      gone_ = true;
      sinks_.link(false);
      sinks_.operator_line("the TAP device was removed: the network link is down until the machine is started again");
    }
  }

 private:
  const Sinks sinks_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  FramePort port_;
  NicCounters counters_;
  bool gone_ = false;
};

}  // namespace

Result<std::unique_ptr<Nic>> make_tap_nic(const std::string& interface, Nic::Sinks sinks, std::function<void()> wake) {
  if (interface.empty() || interface.size() >= IFNAMSIZ) {
    return fail(ErrorKind::kUsage, "'" + interface + "' is not a network interface's name: it has 1 to 15 characters");
  }
  if (if_nametoindex(interface.c_str()) == 0) {
    return fail(ErrorKind::kEnvironment, "there is no network interface " + interface +
                                             ": make it as root with: ip tuntap add dev " + interface + " mode tap user USER");
  }
  Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return system_fail("/dev/net/tun cannot be opened", errno, "use --net switch=SOCKET instead, which needs no rights");
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    if (errno == EBUSY) {
      return fail(ErrorKind::kEnvironment, "network interface " + interface + " is in use by another machine: give each machine its own");
    }
    return system_fail("network interface " + interface + " cannot be used", errno,
                       "make it as root with: ip tuntap add dev " + interface + " mode tap user USER");
  }
  return std::make_unique<TapNic>(std::move(fd), std::move(sinks), std::move(wake));
}

}  // namespace pollux::host
