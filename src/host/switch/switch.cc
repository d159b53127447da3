#include "host/switch/switch.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "host/clock.h"
#include "host/sandbox.h"
#include "host/stop_signals.h"
#include "host/system_error.h"

namespace pollux::host::switching {
namespace {

constexpr std::size_t kHeaderBytes = 14;
constexpr std::size_t kFramesAtOnce = 64;  // from one client, before others have their turn
constexpr std::size_t kMaxQueued = 4096;   // frames, a client
constexpr u32 kRestMs = 100;

Mac address_at(ByteSpan frame, std::size_t offset) {
  Mac mac;
  std::memcpy(mac.data(), frame.data() + offset, mac.size());
  return mac;
}

}  // namespace

Result<std::unique_ptr<Switch>> Switch::create(const SwitchOptions& options) {
  Result<UnixListener> listener = UnixListener::create(options.socket_path, SOCK_SEQPACKET, "the switch");
  if (!listener) return pass(listener);
  std::unique_ptr<Switch> self(new Switch(std::move(*listener)));
  Result<std::unique_ptr<Router>> router =
      Router::create(options.forwards, [raw = self.get()](ByteSpan frame) { raw->from_port(kRouterPort, frame); });
  if (!router) return pass(router);
  self->router_ = std::move(*router);
  return self;
}

void Switch::from_port(Port port, ByteSpan frame) {
  if (frame.size() < kHeaderBytes) {
    ++counters_.bad;
    return;
  }
  ++counters_.frames;
  const u64 now = monotonic_ns();
  const Mac destination = address_at(frame, 0);
  const Mac source = address_at(frame, 6);
  const SwitchTable::Learned learned = table_.learn(source, port, now);
  counters_.moves += learned == SwitchTable::Learned::kMoved;
  if (learned == SwitchTable::Learned::kNew) {
    for (const Bytes& waited : held_.release(source, now)) to_port(port, waited);
  }
  if (const std::optional<Port> known = table_.lookup(destination, now)) {
    if (*known != port) to_port(*known, frame);
  } else if (!is_group(destination) && held_.hold(destination, frame, now)) {
    ++counters_.held;
  } else {
    ++counters_.flooded;
    flood(port, frame);
  }
}

void Switch::to_port(Port port, ByteSpan frame) {
  if (port == kRouterPort) return router_->input(frame);
  const auto client = clients_.find(port);
  if (client == clients_.end() || !client->second.send(frame)) ++counters_.dropped;
}

void Switch::flood(Port except, ByteSpan frame) {
  for (auto& [port, client] : clients_) {
    if (port != except && !client.send(frame)) ++counters_.dropped;
  }
  if (except != kRouterPort) router_->input(frame);
}

void Switch::accept_clients() {
  while (Fd fd = listener_.accept()) {
    if (clients_.size() == kMaxClients) continue;  // closed at once: the client sees a pulled cable
    clients_.emplace(next_port_++, FramePort(std::move(fd), FramePort::Kind::kSocket, kMaxQueued));
    ++counters_.clients;
  }
  // One that cannot be taken stays in the listener's queue and would be reported again at once.
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
  ++counters_.shortages;
  rests_until_ns_ = monotonic_ns() + kRestMs * kNanosecondsPerMs;
}

void Switch::serve(Port port, short events) {
  FramePort& client = clients_.at(port);
  if (events & POLLOUT) client.send_queued();
  if (!(events & ~POLLOUT)) return;
  const auto state = client.receive(kFramesAtOnce, [&](ByteSpan frame) { from_port(port, frame); });
  if (state == FramePort::State::kGone) drop_port(port);
}

void Switch::drop_port(Port port) {
  clients_.erase(port);
  const u64 now = monotonic_ns();
  for (const Mac& mac : table_.forget_port(port)) held_.expect(mac, now);
}

// False: it was a signal, nothing is to be read from waits.
Result<bool> Switch::wait(std::vector<pollfd>& waits, u32 timeout_ms) {
  if (rests_until_ns_ != 0) timeout_ms = std::min(timeout_ms, kRestMs);
  const int timeout = timeout_ms == Router::kNoTimeout ? -1 : int(std::min<u32>(timeout_ms, INT32_MAX));
  if (::poll(waits.data(), waits.size(), timeout) >= 0) return true;
  if (errno == EINTR) return false;
  return system_fail("the switch cannot wait for its clients", errno,
                     "raise the limits of this process (ulimit -n, memory)");
}

Result<void> Switch::run(int stop_fd) {
  std::vector<pollfd> waits;
  std::vector<Port> ports;
  while (true) {
    constexpr std::size_t kFixed = 3;
    if (monotonic_ns() >= rests_until_ns_) rests_until_ns_ = 0;
    const int listener = rests_until_ns_ == 0 ? listener_.fd() : -1;
    waits = {{stopping_.fd(), POLLIN, 0}, {stop_fd, POLLIN, 0}, {listener, POLLIN, 0}};
    ports.clear();
    for (auto& [port, client] : clients_) {
      waits.push_back({client.fd(), client.events(), 0});
      ports.push_back(port);
    }
    u32 timeout_ms = Router::kNoTimeout;
    router_->fill(waits, timeout_ms);
    Result<bool> waited = wait(waits, timeout_ms);
    if (!waited) return pass(waited);
    if (!*waited) continue;
    if ((waits[0].revents | waits[1].revents) & POLLIN) break;
    POLLUX_CHECK(!(waits[0].revents | waits[1].revents), "nobody else closes the switch's own descriptors");
    if (waits[2].revents) accept_clients();
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (const short events = waits[kFixed + i].revents) serve(ports[i], events);
    }
    // After the clients: what they sent may be what the router waits for to send something itself (an ARP answer).
    router_->handle(waits);
  }
  stopping_.drain();
  return {};
}

Result<SwitchEnd> run_switch(const SwitchOptions& options) {
  // Each connection through the router takes a descriptor, and a guest may have many.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur < descriptors.rlim_max) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  Result<std::unique_ptr<Switch>> made = Switch::create(options);
  if (!made) return pass(made);
  Switch& self = **made;
  StopSignals signals([&] { self.stop(); });
  if (options.sandbox) {
    if (Result<void> confined = confine(); !confined) return pass(confined);
  }
  if (Result<void> served = self.run(signals.interest().fd); !served) return pass(served);
  return SwitchEnd{StopSignals::asked_by(), self.counters()};
}

}  // namespace pollux::host::switching
