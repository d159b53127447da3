#include "host/switch/router.h"

#include <arpa/inet.h>
#include <slirp/libslirp.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "host/clock.h"
#include "host/system_error.h"

namespace pollux::host::switching {
namespace {

constexpr i64 kNever = INT64_MAX;

in_addr address(const char* text) {
  in_addr result{};
  POLLUX_CHECK(inet_pton(AF_INET, text, &result) == 1, "addresses were checked when they were read");
  return result;
}

int to_slirp(short events) {
  return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
         (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
         (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

short from_slirp(int events) {
  return short((events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
               (events & SLIRP_POLL_PRI ? POLLPRI : 0));
}

i64 now_ms() { return i64(monotonic_ns() / kNanosecondsPerMs); }

}  // namespace

struct Router::Timer {
  SlirpTimerCb call;
  void* with;
  i64 at_ms = kNever;
};

// What libslirp asks of its host.
struct Router::Callbacks {
  static Router& self(void* opaque) { return *static_cast<Router*>(opaque); }
  static ssize_t send(const void* frame, size_t length, void* opaque) {
    self(opaque).to_guests_(ByteSpan(static_cast<const std::byte*>(frame), length));
    return ssize_t(length);
  }
  static void guest_error(const char*, void*) {}  // a guest's odd packet is not the operator's business
  static i64 clock(void*) { return i64(monotonic_ns()); }
  static void* timer_new(SlirpTimerCb call, void* with, void* opaque) {
    return self(opaque).timers_.emplace_back(new Timer{call, with}).get();
  }
  static void timer_free(void* timer, void* opaque) {
    std::erase_if(self(opaque).timers_, [&](const auto& one) { return one.get() == timer; });
  }
  static void timer_mod(void* timer, i64 at_ms, void*) { static_cast<Timer*>(timer)->at_ms = at_ms; }
  static void poll_fd(int, void*) {}
  static void notify(void*) {}
  static constexpr SlirpCb kAll{.send_packet = send,
                                .guest_error = guest_error,
                                .clock_get_ns = clock,
                                .timer_new = timer_new,
                                .timer_free = timer_free,
                                .timer_mod = timer_mod,
                                .register_poll_fd = poll_fd,
                                .unregister_poll_fd = poll_fd,
                                .notify = notify};
};

Result<std::unique_ptr<Router>> Router::create(const std::vector<Forward>& forwards,
                                               std::function<void(ByteSpan)> to_guests) {
  std::unique_ptr<Router> router(new Router(std::move(to_guests)));
  for (const Forward& forward : forwards) {
    if (Result<void> added = router->add(forward); !added) return pass(added);
  }
  return router;
}

Router::Router(std::function<void(ByteSpan)> to_guests) : to_guests_(std::move(to_guests)) {
  SlirpConfig config{};
  config.version = 1;
  config.in_enabled = true;
  config.vnetwork = address("10.0.2.0");
  config.vnetmask = address("255.255.255.0");
  config.vhost = address("10.0.2.2");
  config.vnameserver = address("10.0.2.3");
  config.vdhcp_start = address("10.0.2.15");
  slirp_ = slirp_new(&config, &Callbacks::kAll, this);
  POLLUX_CHECK(slirp_, "libslirp takes this configuration");
}

Router::~Router() { slirp_cleanup(slirp_); }

Result<void> Router::add(const Forward& forward) {
  const bool udp = forward.protocol == Forward::Protocol::kUdp;
  if (slirp_add_hostfwd(slirp_, udp, address(forward.host_address.c_str()), forward.host_port,
                        address(forward.guest_address.c_str()), forward.guest_port) == 0) {
    return {};
  }
  if (errno == EADDRINUSE) {
    return fail(ErrorKind::kEnvironment, "port " + std::to_string(forward.host_port) + " (" + describe(forward) +
                                             ") is in use by another process: stop it or forward another port");
  }
  return system_fail("port " + std::to_string(forward.host_port) + " (" + describe(forward) + ") cannot be forwarded",
                     errno, "ports below 1024 need root, and the address must be this host's");
}

void Router::fill(std::vector<pollfd>& waits, u32& timeout_ms) {
  slirp_pollfds_fill(
      slirp_, &timeout_ms,
      [](int fd, int events, void* opaque) {
        auto& all = *static_cast<std::vector<pollfd>*>(opaque);
        all.push_back({fd, from_slirp(events), 0});
        return int(all.size() - 1);
      },
      &waits);
  for (const auto& timer : timers_) {
    if (timer->at_ms != kNever) timeout_ms = u32(std::clamp<i64>(timer->at_ms - now_ms(), 0, timeout_ms));
  }
}

void Router::handle(const std::vector<pollfd>& waits) {
  enter([&] { poll(waits); });
}

void Router::poll(const std::vector<pollfd>& waits) {
  slirp_pollfds_poll(
      slirp_, 0,
      [](int index, void* opaque) {
        return to_slirp((*static_cast<const std::vector<pollfd>*>(opaque))[std::size_t(index)].revents);
      },
      const_cast<std::vector<pollfd>*>(&waits));
  for (std::size_t i = 0; i < timers_.size(); ++i) {  // a timer may start another
    Timer& timer = *timers_[i];
    if (timer.at_ms > now_ms()) continue;
    timer.at_ms = kNever;
    timer.call(timer.with);
  }
}

void Router::input(ByteSpan frame) {
  const ByteSpan whole = reassembly_.whole(frame);
  if (whole.empty()) return;
  if (inside_) {
    waiting_.emplace_back(whole.begin(), whole.end());
    return;
  }
  enter([&] { slirp_input(slirp_, reinterpret_cast<const u8*>(whole.data()), int(whole.size())); });
}

void Router::enter(const std::function<void()>& call) {
  inside_ = true;
  call();
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const Bytes& frame = waiting_.front();
    slirp_input(slirp_, reinterpret_cast<const u8*>(frame.data()), int(frame.size()));
  }
  inside_ = false;
}

}  // namespace pollux::host::switching
