#include "host/breakdown.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <new>
#include <string_view>

namespace pollux::host {
namespace {

struct Fault {
  int number;
  std::string_view name;
};
// abort() is not among them: who calls it has said why.
constexpr Fault kFaults[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"}, {SIGSYS, "SIGSYS"}};

alignas(std::max_align_t) std::byte g_stack[16 << 10];  // the first thread's own may be what ran out

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

// The action was reset when it began, so the signal comes again as if nobody had listened.
void on_fault(int number) {
  say("pollux: broke down by a fault of its own (");
  for (const Fault& fault : kFaults) {
    if (fault.number == number) say(fault.name);
  }
  say("): please report it with the command line and what the guest was doing\n");
  ::raise(number);
}

// On whichever thread asked first; the others may hold any lock, so nothing is destroyed. One that asks while the
// process leaves waits for its end: the sentence is said once.
[[noreturn]] void on_no_memory() {
  static constinit std::atomic_flag leaving;
  while (leaving.test_and_set()) ::pause();
  say("pollux: the host gives no more memory: free some, raise the process's limits (ulimit -v), or ask for a smaller "
      "guest with --memory\n");
  std::quick_exit(1);
}

}  // namespace

void speak_on_breakdown() {
  std::set_new_handler(on_no_memory);
  const stack_t stack{.ss_sp = g_stack, .ss_flags = 0, .ss_size = sizeof g_stack};
  ::sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = on_fault;
  action.sa_flags = SA_RESETHAND | SA_ONSTACK;
  for (const Fault& fault : kFaults) ::sigaction(fault.number, &action, nullptr);
}

}  // namespace pollux::host
