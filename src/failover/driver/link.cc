#include "failover/driver/link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

namespace pollux::failover::driver {
namespace {

constexpr int kCloseMs = 200;
constexpr u64 kNsPerMs = 1'000'000;

u64 now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return u64(now.tv_sec) * 1'000'000'000 + u64(now.tv_nsec);
}

}  // namespace

Link::Link(std::unique_ptr<Channel> channel, HeartbeatSocket heartbeats, std::mutex& lock, Events events, int beat_ms)
    : channel_(std::move(channel)),
      heartbeats_(std::move(heartbeats)),
      lock_(lock),
      events_(std::move(events)),
      beat_ms_(beat_ms),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  heartbeats_.set_key(channel_->heartbeat_key());
}

Link::~Link() { stop(); }

void Link::stop() {
  ending_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void Link::start() {
  thread_ = std::thread([this] { run(); });
}

void Link::wake() {
  const u64 one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Link::send(const Message& message) {
  if (!open_) return;
  channel_->send(message);
  if (channel_->wants_write()) wake();  // the thread waits until the socket takes more
}

void Link::close_channel() {
  if (!open_) return;
  open_ = false;
  channel_->close(kCloseMs);
}

void Link::run() {
  while (!ending_) {
    pollfd waiting[3] = {{wake_.get(), POLLIN, 0}, {heartbeats_.fd(), POLLIN, 0}, {-1, 0, 0}};
    {
      std::lock_guard guard(lock_);
      if (open_) waiting[2] = {channel_->fd(), short(POLLIN | (channel_->wants_write() ? POLLOUT : 0)), 0};
    }
    const u64 now = now_ns();
    const int wait_ms = next_tick_ns_ <= now ? 0 : int((next_tick_ns_ - now) / kNsPerMs) + 1;
    ::poll(waiting, 3, wait_ms);
    u64 count;
    if (waiting[0].revents) {
      [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    }
    std::lock_guard guard(lock_);
    if (!ending_) turn(waiting[2].revents, waiting[1].revents);
  }
}

// Everything that arrived comes before the tick: a side that was stopped for a while must not take what waits in its
// sockets for silence.
void Link::turn(short channel_events, short heartbeat_events) {
  if (heartbeat_events) {
    while (const auto heartbeat = heartbeats_.receive()) events_.heartbeat(*heartbeat);
  }
  if (channel_events && open_) {
    channel_->flush();
    std::vector<Message> messages;
    const bool good = channel_->read(messages);
    for (const Message& message : messages) events_.message(message);
    if (!good && open_) {
      open_ = false;
      events_.closed(channel_->why());
    }
  }
  const u64 now = now_ns();
  if (now < next_tick_ns_) return;
  // In step with the time, not with this thread's delays; after a pause, anew.
  const u64 interval_ns = u64(beat_ms_) * kNsPerMs / 2;
  next_tick_ns_ += interval_ns;
  if (next_tick_ns_ <= now) next_tick_ns_ = now + interval_ns;
  beats_ = !beats_;
  if (beats_) {
    if (const auto heartbeat = events_.beat()) heartbeats_.send(*heartbeat);
  }
  events_.tick();
}

}  // namespace pollux::failover::driver
