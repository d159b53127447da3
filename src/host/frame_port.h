// Frames over a descriptor that keeps message borders (a sequenced-packet socket, a TAP device), with a queue of what
// could not be written yet, bounded in frames and bytes. The common part of the two network cards and of the switch's
// clients.
#pragma once

#include <deque>
#include <functional>

#include "base/bytes.h"
#include "host/fd.h"

namespace pollux::host {

class FramePort {
 public:
  enum class Kind { kSocket, kTap };
  enum class State { kOpen, kGone };

  FramePort() = default;
  FramePort(Fd fd, Kind kind, std::size_t max_queued) : fd_(std::move(fd)), kind_(kind), max_queued_(max_queued) {}

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return bool(fd_); }
  short events() const;  // to poll for

  static constexpr std::size_t kMaxQueuedBytes = 16 << 20;

  // Writes the frame, or queues it behind others; false: the queue is full, the frame is dropped. Errors of the
  // descriptor drop the frame and show at the next receive().
  bool send(ByteSpan frame);
  void send_queued();
  bool queued() const { return !queue_.empty(); }

  // Reads at most max_frames frames and hands each to sink; what is too long to be one, or a message of nothing, comes
  // as an empty one. kGone: the other end has closed.
  State receive(std::size_t max_frames, const std::function<void(ByteSpan)>& sink);

 private:
  enum class Wrote { kDone, kLater };
  Wrote write(ByteSpan frame);
  ssize_t read(std::byte* into) const;
  bool hung_up() const;

  Fd fd_;
  Kind kind_ = Kind::kSocket;
  std::size_t max_queued_ = 0;
  std::deque<Bytes> queue_;
  std::size_t queued_bytes_ = 0;
};

}  // namespace pollux::host
