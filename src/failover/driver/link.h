// The way to the other side: the channel and the heartbeats beside it, with a thread that waits for both and for time.
// Sending happens on the caller's thread, at once (no hand-over between threads on the way of an output); receiving,
// the beat and the ticks on the link's own.
//
// The owner's lock guards the owner and the link together: the link takes it around every call of Events, and the owner
// holds it when it calls send() and close_channel().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "failover/driver/channel.h"
#include "failover/driver/heartbeat_socket.h"

namespace pollux::failover::driver {

class Link {
 public:
  struct Events {
    std::function<void(const Message&)> message;
    std::function<void(const std::string& why)> closed;
    std::function<void(const Heartbeat&)> heartbeat;
    std::function<void()> tick;                         // after everything that arrived
    std::function<std::optional<Heartbeat>()> beat;     // what to send, if anything
  };

  // beat_ms: between heartbeats (Timing::heartbeat_ns()). Ticks come twice as often (tick_ns()).
  Link(std::unique_ptr<Channel> channel, HeartbeatSocket heartbeats, std::mutex& lock, Events events, int beat_ms);
  ~Link();  // stops

  void start();
  // No event comes from now on. The owner's lock must be free, and the owner's pointer to this still be good: an event may
  // be under way.
  void stop();
  void send(const Message& message);
  // Sends what waits, for a moment, and ends the channel; heartbeats go on.
  void close_channel();
  void set_beat_ms(int beat_ms) { beat_ms_ = beat_ms; }

  u64 bytes_sent() const { return channel_->bytes_sent(); }

 private:
  void run();
  void turn(short channel_events, short heartbeat_events);
  void wake();

  std::unique_ptr<Channel> channel_;
  HeartbeatSocket heartbeats_;
  std::mutex& lock_;
  Events events_;
  std::atomic<int> beat_ms_;
  Descriptor wake_;
  u64 next_tick_ns_ = 0;
  bool beats_ = false;  // with every other tick
  bool open_ = true;  // the channel; guarded by the owner's lock
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace pollux::failover::driver
