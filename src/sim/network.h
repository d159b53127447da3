// The wires of a simulated pair: the channel (ordered until it breaks, like TCP), the heartbeats beside it (lost, late,
// doubled, reordered, like UDP), and the network with the clients, whose switch learns where the machine's card is.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "failover/message.h"
#include "sim/shared.h"

namespace pollux::sim {

struct NetworkWeather {
  u64 latency_ns = 100'000;        // at least, one way
  u64 jitter_ns = 100'000;
  double spike = 0;                // share of messages that take up to spike_ns longer
  u64 spike_ns = 0;
  double heartbeat_loss = 0;
  double heartbeat_double = 0;
  double packet_loss = 0;          // clients' network
};

class Network {
 public:
  Network(Shared& shared, NetworkWeather weather) : shared_(shared), weather_(weather) {}

  // What a side does with what arrives; called on its host.
  struct Receiver {
    std::function<void(failover::Message)> message;
    std::function<void(std::string_view why)> closed;
    std::function<void(failover::Heartbeat)> heartbeat;
    std::function<void(Bytes)> packet;
  };
  void attach(Side side, Receiver receiver) { receivers_[std::size_t(side)] = std::move(receiver); }
  void attach_client(std::function<void(Bytes)> client) { client_ = std::move(client); }

  void send(Side from, failover::Message message);
  void close(Side from);
  void beat(Side from, failover::Heartbeat heartbeat);

  void packet_out(Side from, Bytes frame);
  void announce(Side from) { learned_ = from; }
  void packet_in(Bytes frame);

  // Both directions, channel and heartbeats; the clients' network stays.
  void cut();
  void heal();
  void set_weather(NetworkWeather weather) { weather_ = weather; }
  const NetworkWeather& weather() const { return weather_; }
  // The host's end of the channel after its death: a killed process says goodbye through its kernel, a host without
  // power says nothing.
  void died(Side side, bool silently);

 private:
  struct Item {
    bool close = false;
    failover::Message message;
    u64 arrival_ns = 0;
  };
  struct Direction {
    std::deque<Item> under_way;
    u64 last_arrival_ns = 0;
    u64 resumes_ns = 0;   // after a cut: when TCP tries again
    bool closed = false;  // nothing arrives any more
  };

  u64 latency();
  Direction& towards(Side side) { return directions_[std::size_t(side)]; }
  void carry(Side to, Item item);
  void deliver(Side to);
  void arrive(Side to, Item item);

  Shared& shared_;
  NetworkWeather weather_;
  std::array<Receiver, 2> receivers_;
  std::array<Direction, 2> directions_;
  std::array<bool, 2> silent_{};
  std::function<void(Bytes)> client_;
  Side learned_ = Side::kA;
  bool cut_ = false;
};

}  // namespace pollux::sim
