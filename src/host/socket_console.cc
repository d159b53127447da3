#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "host/console.h"
#include "host/scrollback.h"
#include "host/unix_socket.h"

namespace pollux::host {
namespace {

constexpr std::size_t kScrollbackBytes = 256 << 10;

class SocketConsole final : public Console {
 public:
  SocketConsole(UnixListener listener, ConsoleSinks sinks)
      : sinks_(std::move(sinks)), listening_(*this, std::move(listener)), client_(*this) {}

  void write(ByteSpan bytes) override {
    bool client;
    {
      std::lock_guard lock(mutex_);
      scrollback_.append(bytes);
      client = bool(connection_);
    }
    if (client) sinks_.wake();
  }
  std::vector<Source*> sources() override { return {&listening_, &client_}; }
  u64 bytes_lost() const override { return lost_; }
  void finish() override {
    std::lock_guard lock(mutex_);
    send_locked();
    connection_.reset();
  }

 private:
  class Listening final : public Source {
   public:
    Listening(SocketConsole& console, UnixListener listener) : console_(console), listener_(std::move(listener)) {}
    pollfd interest() override { return {listener_.fd(), POLLIN, 0}; }
    void ready(short) override {
      while (Fd fd = listener_.accept()) console_.adopt(std::move(fd));
    }

   private:
    SocketConsole& console_;
    UnixListener listener_;
  };

  class Client final : public Source {
   public:
    explicit Client(SocketConsole& console) : console_(console) {}
    pollfd interest() override {
      std::lock_guard lock(console_.mutex_);
      const bool more = console_.place_ < console_.scrollback_.end();
      return {console_.connection_.get(), short(more ? POLLIN | POLLOUT : POLLIN), 0};
    }
    void ready(short events) override { console_.serve(events); }

   private:
    SocketConsole& console_;
  };

  void adopt(Fd fd) {
    std::lock_guard lock(mutex_);
    if (connection_) {
      constexpr std::string_view kTaken = "pollux: another client has this console\r\n";
      [[maybe_unused]] const auto sent = ::send(fd.get(), kTaken.data(), kTaken.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      return;
    }
    connection_ = std::move(fd);
    place_ = scrollback_.begin();
  }

  void serve(short events) {
    if (events & POLLOUT) {
      std::lock_guard lock(mutex_);
      send_locked();
    }
    if (!(events & ~POLLOUT)) return;
    std::byte typed[1024];
    const ssize_t got = ::recv(connection_.get(), typed, sizeof typed, MSG_DONTWAIT);
    if (got > 0) {
      sinks_.typed(Bytes(typed, typed + got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      std::lock_guard lock(mutex_);
      connection_.reset();
    }
  }

  void send_locked() {
    while (connection_ && place_ < scrollback_.end()) {
      if (place_ < scrollback_.begin()) {
        lost_ += scrollback_.begin() - place_;
        place_ = scrollback_.begin();
      }
      const ByteSpan next = scrollback_.read(place_);
      const ssize_t sent = ::send(connection_.get(), next.data(), next.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return;  // full, or closed: then the next recv() says so
      place_ += u64(sent);
    }
  }

  const ConsoleSinks sinks_;
  std::mutex mutex_;
  Scrollback scrollback_{kScrollbackBytes};
  Fd connection_;  // changed by the reactor's thread only
  u64 place_ = 0;  // what the client has got
  std::atomic<u64> lost_ = 0;
  Listening listening_;
  Client client_;
};

}  // namespace

Result<std::unique_ptr<Console>> make_socket_console(const std::string& path, ConsoleSinks sinks) {
  Result<UnixListener> listener = UnixListener::create(path, SOCK_STREAM, "the console");
  if (!listener) return pass(listener);
  return std::make_unique<SocketConsole>(std::move(*listener), std::move(sinks));
}

}  // namespace pollux::host
