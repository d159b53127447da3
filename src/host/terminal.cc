#include "host/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iterator>

#include "base/check.h"

namespace pollux::host {
namespace {

constexpr int kFatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGQUIT, SIGSYS};

// Signal handlers and exit() reach the settings only through globals.
termios g_before;
termios g_raw;
std::atomic<bool> g_is_raw = false;
struct sigaction g_actions_before[std::size(kFatal)];
struct sigaction g_continue_before;

void restore() {
  if (g_is_raw.exchange(false)) tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
}

void restore_and_die(int number) {
  restore();
  for (std::size_t i = 0; i < std::size(kFatal); ++i) {
    if (kFatal[i] == number) sigaction(number, &g_actions_before[i], nullptr);
  }
  raise(number);  // pending until this handler returns, then handled as before
}

// The shell takes its own settings while the process is stopped.
void raw_again(int) {
  if (g_is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &g_raw);
}

}  // namespace

RawTerminal::RawTerminal() {
  POLLUX_CHECK(!g_is_raw, "one console owns the terminal");
  if (tcgetattr(STDIN_FILENO, &g_before) != 0) return;
  g_raw = g_before;
  // As cfmakeraw, but output stays cooked, so that lines of other programs and of ours look right.
  g_raw.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  g_raw.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  g_raw.c_cflag = (g_raw.c_cflag & ~tcflag_t(CSIZE | PARENB)) | CS8;
  g_raw.c_cc[VMIN] = 1;
  g_raw.c_cc[VTIME] = 0;
  static const bool at_exit = std::atexit(restore) == 0 && std::at_quick_exit(restore) == 0;
  (void)at_exit;
  struct sigaction action{};
  action.sa_handler = restore_and_die;
  for (std::size_t i = 0; i < std::size(kFatal); ++i) sigaction(kFatal[i], &action, &g_actions_before[i]);
  action.sa_handler = raw_again;
  action.sa_flags = SA_RESTART;
  sigaction(SIGCONT, &action, &g_continue_before);
  g_is_raw = true;
  tcsetattr(STDIN_FILENO, TCSANOW, &g_raw);
}

RawTerminal::~RawTerminal() {
  restore();
  for (std::size_t i = 0; i < std::size(kFatal); ++i) sigaction(kFatal[i], &g_actions_before[i], nullptr);
  sigaction(SIGCONT, &g_continue_before, nullptr);
}

}  // namespace pollux::host
