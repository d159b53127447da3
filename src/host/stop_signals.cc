#include "host/stop_signals.h"

#include <signal.h>
#include <string.h>

#include <atomic>
#include <cerrno>
#include <iterator>

namespace pollux::host {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGPWR};

// Lock-free, so a handler may set them.
std::atomic<bool> g_stop, g_power_button;
std::atomic<int> g_asked_with, g_asked_by;  // the last stop's signal, and its sender's process: 0 when the kernel's

// A handler has no other way to its event.
const EventFd& event() {
  static const EventFd once;
  return once;
}

struct sigaction g_before[std::size(kSignals)];

void on_signal(int number, siginfo_t* info, void*) {
  const int error_number = errno;
  if (number != SIGPWR) {
    g_asked_by = info->si_code <= 0 ? info->si_pid : 0;
    g_asked_with = number;
  }
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
  g_asked_with = 0;
  event().drain();  // made before the first handler can run
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
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

std::string StopSignals::asked_by() {
  const int number = g_asked_with;
  if (number == 0) return {};
  const std::string signal = std::string("SIG") + sigabbrev_np(number);
  return g_asked_by == 0 ? signal : signal + " from process " + std::to_string(g_asked_by);
}

pollfd StopSignals::interest() { return {event().fd(), POLLIN, 0}; }

void StopSignals::ready(short) {
  event().drain();
  if (g_power_button.exchange(false)) power_button_();
  if (g_stop.exchange(false)) stop_();
}

}  // namespace pollux::host
