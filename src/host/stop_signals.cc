#include "host/stop_signals.h"

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <iterator>

namespace pollux::host {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGPWR};

std::atomic<bool> g_stop, g_power_button;  // lock-free, so a handler may set them

// A handler has no other way to its event.
const EventFd& event() {
  static const EventFd once;
  return once;
}

struct sigaction g_before[std::size(kSignals)];

void on_signal(int number) {
  const int error_number = errno;
  (number == SIGPWR ? g_power_button : g_stop) = true;
  event().signal();
  errno = error_number;
}

}  // namespace

void ignore_write_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

StopSignals::StopSignals(std::function<void()> stop, std::function<void()> power_button)
    : stop_(std::move(stop)), power_button_(std::move(power_button)) {
  g_stop = g_power_button = false;
  event().drain();  // made before the first handler can run
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &g_before[i]);
    if (kSignals[i] == SIGPWR && !power_button_) continue;
    // nohup and shells that start a job in the background have said that it is not to be stopped so.
    if (g_before[i].sa_handler == SIG_IGN && (kSignals[i] == SIGINT || kSignals[i] == SIGHUP)) continue;
    sigaction(kSignals[i], &action, nullptr);
  }
  ignore_write_signals();
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &g_before[i], nullptr);
}

pollfd StopSignals::interest() { return {event().fd(), POLLIN, 0}; }

void StopSignals::ready(short) {
  event().drain();
  if (g_power_button.exchange(false)) power_button_();
  if (g_stop.exchange(false)) stop_();
}

}  // namespace pollux::host
