#include "host/frame_port.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "host/nic.h"

namespace pollux::host {

short FramePort::events() const { return queue_.empty() ? POLLIN : POLLIN | POLLOUT; }

FramePort::Wrote FramePort::write(ByteSpan frame) {
  while (true) {
    const ssize_t written = kind_ == Kind::kSocket
                                ? ::send(fd_.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                : ::write(fd_.get(), frame.data(), frame.size());
    if (written >= 0 || (errno != EINTR && errno != EAGAIN && errno != ENOBUFS)) return Wrote::kDone;
    if (errno != EINTR) return Wrote::kLater;
  }
}

bool FramePort::send(ByteSpan frame) {
  if (queue_.empty() && write(frame) == Wrote::kDone) return true;
  if (queue_.size() >= max_queued_ || queued_bytes_ + frame.size() > kMaxQueuedBytes) return false;
  queue_.emplace_back(frame.begin(), frame.end());
  queued_bytes_ += frame.size();
  return true;
}

void FramePort::send_queued() {
  while (!queue_.empty() && write(queue_.front()) == Wrote::kDone) {
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
  }
}

// A socket says how long a message was, though it fits no buffer.
ssize_t FramePort::read(std::byte* into) const {
  if (kind_ == Kind::kTap) return ::read(fd_.get(), into, Nic::kMaxFrame);
  return ::recv(fd_.get(), into, Nic::kMaxFrame, MSG_DONTWAIT | MSG_TRUNC);
}

// A message of nothing reads like the end.
bool FramePort::hung_up() const {
  pollfd wait{fd_.get(), POLLRDHUP, 0};
  return kind_ == Kind::kTap || ::poll(&wait, 1, 0) != 0;
}

FramePort::State FramePort::receive(std::size_t max_frames, const std::function<void(ByteSpan)>& sink) {
  static thread_local const auto buffer = std::make_unique<std::byte[]>(Nic::kMaxFrame);
  for (std::size_t i = 0; i < max_frames; ++i) {
    const ssize_t got = read(buffer.get());
    if (got == 0 && hung_up()) return State::kGone;
    if (got >= 0) {
      sink(ByteSpan(buffer.get(), got > ssize_t(Nic::kMaxFrame) ? 0 : std::size_t(got)));
    } else if (errno == EAGAIN) {
      return State::kOpen;
    } else if (errno != EINTR && (kind_ == Kind::kSocket || errno == EBADFD)) {
      return State::kGone;
    } else if (errno != EINTR) {
      return State::kOpen;  // a TAP device that is down for now (EIO)
    }
  }
  return State::kOpen;
}

}  // namespace pollux::host
