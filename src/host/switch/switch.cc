#include "host/switch/switch.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "host/clock.h"
#include "host/sandbox.h"
#include "host/stop_signals.h"

namespace pollux::host::switching {
namespace {

constexpr std::size_t kHeaderBytes = 14;
constexpr std::size_t kFramesAtOnce = 64;  // from one client, before others have their turn
constexpr std::size_t kMaxQueued = 4096;   // frames, a client

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

void Switch::run(int stop_fd) {
  std::vector<pollfd> waits;
  std::vector<Port> ports;
  while (true) {
    constexpr std::size_t kFixed = 3;
    waits = {{stopping_.fd(), POLLIN, 0}, {stop_fd, POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    ports.clear();
    for (auto& [port, client] : clients_) {
      waits.push_back({client.fd(), client.events(), 0});
      ports.push_back(port);
    }
    u32 timeout_ms = Router::kNoTimeout;
    router_->fill(waits, timeout_ms);
    const int timeout = timeout_ms == Router::kNoTimeout ? -1 : int(std::min<u32>(timeout_ms, INT32_MAX));
    if (::poll(waits.data(), waits.size(), timeout) < 0) continue;  // EINTR
    if (waits[0].revents || waits[1].revents) break;
    router_->handle(waits);
    if (waits[2].revents) accept_clients();
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (const short events = waits[kFixed + i].revents) serve(ports[i], events);
    }
  }
  stopping_.drain();
}

Result<SwitchCounters> run_switch(const SwitchOptions& options) {
  Result<std::unique_ptr<Switch>> made = Switch::create(options);
  if (!made) return pass(made);
  Switch& self = **made;
  StopSignals signals([&] { self.stop(); });
  if (options.sandbox) {
    if (Result<void> confined = confine(); !confined) return pass(confined);
  }
  self.run(signals.interest().fd);
  return self.counters();
}

}  // namespace pollux::host::switching
