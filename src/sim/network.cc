#include "sim/network.h"

namespace pollux::sim {

using failover::Heartbeat;
using failover::Message;

u64 Network::latency() {
  u64 ns = weather_.latency_ns + shared_.random.below(weather_.jitter_ns + 1);
  if (weather_.spike > 0 && shared_.random.chance(weather_.spike)) ns += shared_.random.below(weather_.spike_ns + 1);
  return ns;
}

// ---- the channel

void Network::send(Side from, Message message) {
  shared_.tell(&Observer::sent, from, message);
  carry(other(from), {false, std::move(message)});
}

void Network::close(Side from) {
  towards(from).closed = true;  // it reads no more
  carry(other(from), {true, {}});
}

void Network::carry(Side to, Item item) {
  if (silent_[std::size_t(other(to))]) return;
  Direction& direction = towards(to);
  item.arrival_ns = std::max(direction.last_arrival_ns, shared_.scheduler.now_ns() + latency());
  direction.last_arrival_ns = item.arrival_ns;
  shared_.scheduler.at(item.arrival_ns, [this, to] { deliver(to); });
  direction.under_way.push_back(std::move(item));
}

void Network::deliver(Side to) {
  Direction& direction = towards(to);
  const u64 now_ns = shared_.scheduler.now_ns();
  while (!cut_ && now_ns >= direction.resumes_ns && !direction.under_way.empty() &&
         direction.under_way.front().arrival_ns <= now_ns) {
    Item item = std::move(direction.under_way.front());
    direction.under_way.pop_front();
    arrive(to, std::move(item));
  }
}

void Network::arrive(Side to, Item item) {
  Direction& direction = towards(to);
  if (!shared_.host(to).alive()) {
    // The kernel of a killed process answers for it.
    if (!silent_[std::size_t(to)] && !item.close) carry(other(to), {true, {}});
    return;
  }
  if (direction.closed) return;
  shared_.host(to).post(0, [this, to, item = std::move(item)]() mutable {
    Direction& arrived = towards(to);
    if (arrived.closed) return;
    if (item.close) {
      arrived.closed = true;
      receivers_[std::size_t(to)].closed("it closed the connection");
    } else {
      shared_.tell(&Observer::arrived, to, item.message);
      receivers_[std::size_t(to)].message(std::move(item.message));
    }
  });
}

void Network::died(Side side, bool silently) {
  if (silently) {
    silent_[std::size_t(side)] = true;
    // What was still in its buffers and queues is gone with it.
    std::deque<Item>& under_way = towards(other(side)).under_way;
    for (u64 lost = shared_.random.below(under_way.size() + 1); lost > 0; --lost) under_way.pop_back();
  } else {
    carry(other(side), {true, {}});
  }
}

void Network::cut() { cut_ = true; }

void Network::heal() {
  if (!cut_) return;
  cut_ = false;
  for (const Side side : {Side::kA, Side::kB}) {
    u64& resumes_ns = towards(side).resumes_ns;
    resumes_ns = shared_.scheduler.now_ns() + shared_.random.below(200'000'000);
    shared_.scheduler.at(resumes_ns, [this, side] { deliver(side); });
  }
}

// ---- heartbeats

void Network::beat(Side from, Heartbeat heartbeat) {
  shared_.tell(&Observer::beat, from, heartbeat);
  if (cut_) return;
  const Side to = other(from);
  int copies = shared_.random.chance(weather_.heartbeat_loss) ? 0 : 1;
  if (copies > 0 && shared_.random.chance(weather_.heartbeat_double)) ++copies;
  for (; copies > 0; --copies) {
    shared_.scheduler.after(latency(), [this, to, heartbeat] {
      shared_.host(to).post(0, [this, to, heartbeat] {
        shared_.tell(&Observer::heard, to, heartbeat);
        receivers_[std::size_t(to)].heartbeat(heartbeat);
      });
    });
  }
}

// ---- clients

void Network::packet_out(Side from, Bytes frame) {
  learned_ = from;
  if (shared_.random.chance(weather_.packet_loss)) return;
  shared_.scheduler.after(weather_.latency_ns, [this, frame = std::move(frame)]() mutable {
    shared_.tell(&Observer::client_got, ByteSpan(frame));
    client_(std::move(frame));
  });
}

void Network::packet_in(Bytes frame) {
  if (shared_.random.chance(weather_.packet_loss)) return;
  shared_.scheduler.after(latency(), [this, frame = std::move(frame)]() mutable {
    const Side to = learned_;
    shared_.host(to).post(0, [this, to, frame = std::move(frame)]() mutable {
      receivers_[std::size_t(to)].packet(std::move(frame));
    });
  });
}

}  // namespace pollux::sim
