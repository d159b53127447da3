// The way out of the switch: a router in user space (libslirp) on 10.0.2.2/24 that gives addresses by DHCP (from
// 10.0.2.15, kept by MAC), answers DNS at 10.0.2.3 from the host's resolver, carries TCP, UDP and ping to the outside
// as connections of this process, and listens on the host for forwards. It keeps the TCP state of every forwarded
// connection, so a client's connection lasts as long as this process, whichever half of a pair runs the guest.
//
// A guest reaches the host itself, loopback services included, at 10.0.2.2.
// Driven by poll(2): fill(), then poll, then handle(). One thread.
#pragma once

#include <poll.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "host/mac.h"
#include "host/switch/forward.h"
#include "host/switch/reassembly.h"

struct Slirp;

namespace pollux::host::switching {

class Router {
 public:
  static constexpr u32 kNoTimeout = ~u32{0};

  // to_guests: a frame from the router. It may call input(), which then waits until libslirp has returned.
  static Result<std::unique_ptr<Router>> create(const std::vector<Forward>& forwards,
                                                std::function<void(ByteSpan frame)> to_guests);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Appends what to poll for and lowers timeout_ms to when it must be called again.
  void fill(std::vector<pollfd>& waits, u32& timeout_ms);
  // After poll: waits as filled (the same indices).
  void handle(const std::vector<pollfd>& waits);
  void input(ByteSpan frame);

 private:
  struct Callbacks;
  struct Timer;
  explicit Router(std::function<void(ByteSpan)> to_guests);
  Result<void> add(const Forward& forward);
  void poll(const std::vector<pollfd>& waits);
  void enter(const std::function<void()>& call);

  std::function<void(ByteSpan)> to_guests_;
  std::vector<std::unique_ptr<Timer>> timers_;
  Slirp* slirp_ = nullptr;
  Reassembly reassembly_;
  bool inside_ = false;  // libslirp is: it knows nothing of being entered twice
  std::deque<Bytes> waiting_;
};

}  // namespace pollux::host::switching
