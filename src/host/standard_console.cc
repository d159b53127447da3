#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>

#include "host/clock.h"
#include "host/console.h"
#include "host/console_keys.h"
#include "host/scrollback.h"
#include "host/terminal.h"

namespace pollux::host {
namespace {

constexpr std::size_t kOutputBytes = 1 << 20;
constexpr std::size_t kWriteAtOnce = 4096;  // what a pipe that is ready to write takes without waiting

// A descriptor of standard output that never waits. Opened anew where that is possible: the non-blocking flag of the
// inherited one is shared with other processes.
Fd open_output() {
  struct stat status{};
  ::fstat(STDOUT_FILENO, &status);
  if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
    Fd fd(::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd) return fd;
  }
  return Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
}

class Output final : public Source {
 public:
  explicit Output(std::function<void()> wake) : fd_(open_output()), wake_(std::move(wake)) {}

  void write(ByteSpan bytes) {
    {
      std::lock_guard lock(mutex_);
      buffer_.append(bytes);
    }
    wake_();
  }
  pollfd interest() override {
    std::lock_guard lock(mutex_);
    return {place_ < buffer_.end() ? fd_.get() : -1, POLLOUT, 0};
  }
  void ready(short) override { write_some(); }

  void finish() {
    const u64 deadline = monotonic_ns() + 1'000 * kNanosecondsPerMs;
    while (monotonic_ns() < deadline) {
      pollfd wait = interest();
      if (wait.fd < 0 || ::poll(&wait, 1, 100) < 0) return;
      if (wait.revents && !write_some()) return;
    }
  }
  u64 lost() const { return lost_; }

 private:
  bool write_some() {
    std::lock_guard lock(mutex_);
    if (place_ < buffer_.begin()) {
      lost_ += buffer_.begin() - place_;
      place_ = buffer_.begin();
    }
    ByteSpan next = buffer_.read(place_);
    next = next.first(std::min(next.size(), kWriteAtOnce));
    const ssize_t written = ::write(fd_.get(), next.data(), next.size());
    if (written > 0) place_ += u64(written);
    if (written >= 0 || errno == EAGAIN || errno == EINTR) return true;
    // Nobody reads any more, or the disk under the file is full: the machine goes on without a console.
    lost_ += buffer_.end() - place_;
    place_ = buffer_.end();
    return false;
  }

  const Fd fd_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  Scrollback buffer_{kOutputBytes};
  u64 place_ = 0;  // bytes written or lost so far
  std::atomic<u64> lost_ = 0;
};

class Input final : public Source {
 public:
  Input(bool keys, const ConsoleSinks& sinks, Output& output) : keys_on_(keys), sinks_(sinks), output_(output) {}

  pollfd interest() override { return {ended_ ? -1 : STDIN_FILENO, POLLIN, 0}; }

  void ready(short) override {
    std::byte typed[1024];
    const ssize_t got = ::read(STDIN_FILENO, typed, sizeof typed);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      ended_ = true;
      return;
    }
    const ByteSpan bytes(typed, std::size_t(got));
    if (!keys_on_) return sinks_.typed(Bytes(bytes.begin(), bytes.end()));
    Bytes to_guest;
    std::vector<ConsoleCommand> commands;
    keys_.feed(bytes, to_guest, commands);
    if (!to_guest.empty()) sinks_.typed(std::move(to_guest));
    for (ConsoleCommand command : commands) obey(command);
  }

 private:
  void obey(ConsoleCommand command) {
    switch (command) {
      case ConsoleCommand::kLeave: sinks_.stop(); break;
      case ConsoleCommand::kPowerButton: sinks_.power_button(); break;
      case ConsoleCommand::kHelp: output_.write(as_bytes("\r\npollux: " + std::string(kConsoleHelp) + "\r\n")); break;
    }
  }

  const bool keys_on_;
  const ConsoleSinks& sinks_;
  Output& output_;
  ConsoleKeys keys_;
  bool ended_ = false;
};

class StandardConsole final : public Console {
 public:
  explicit StandardConsole(ConsoleSinks sinks) : sinks_(std::move(sinks)), output_(sinks_.wake) {
    const bool terminal_in = ::isatty(STDIN_FILENO);
    const bool terminal = terminal_in && ::isatty(STDOUT_FILENO);
    if (terminal) raw_.emplace();
    // With output elsewhere, a terminal's keys stay the shell's: Ctrl-C stops the machine.
    if (terminal || !terminal_in) input_.emplace(terminal, sinks_, output_);
  }
  void write(ByteSpan bytes) override { output_.write(bytes); }
  std::vector<Source*> sources() override {
    std::vector<Source*> all{&output_};
    if (input_) all.push_back(&*input_);
    return all;
  }
  u64 bytes_lost() const override { return output_.lost(); }
  void finish() override {
    output_.finish();
    raw_.reset();
  }

 private:
  const ConsoleSinks sinks_;
  Output output_;
  std::optional<Input> input_;
  std::optional<RawTerminal> raw_;
};

}  // namespace

std::unique_ptr<Console> make_standard_console(ConsoleSinks sinks) {
  return std::make_unique<StandardConsole>(std::move(sinks));
}

}  // namespace pollux::host
