// The machine's serial console outside: the terminal, a pipe or file, a Unix socket, or nothing. Writing never waits:
// what the other side does not take is kept in a bounded buffer, the oldest bytes are lost first, and counted.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "host/reactor.h"

namespace pollux::host {

struct ConsoleSinks {
  std::function<void(Bytes)> typed;
  std::function<void()> stop;
  std::function<void()> power_button;
  std::function<void()> wake;  // makes the reactor ask for interest() again
};

class Console {
 public:
  virtual ~Console() = default;
  virtual void write(ByteSpan bytes) = 0;  // thread-safe
  virtual std::vector<Source*> sources() = 0;
  virtual u64 bytes_lost() const { return 0; }
  // After the reactor has stopped: writes what is left, for at most a second.
  virtual void finish() {}
};

// choice: empty: the terminal when standard input and output are one; else standard output, with input from standard
// input unless that is a terminal. "none": output vanishes. "unix:PATH": a socket (socket_console).
Result<std::unique_ptr<Console>> make_console(const std::string& choice, ConsoleSinks sinks);

// The terminal, or pipes and files. See console_keys.h for the terminal's keys.
std::unique_ptr<Console> make_standard_console(ConsoleSinks sinks);

// A stream socket for one client at a time. A new client first gets the scrollback; a second one is told that the
// console is taken. Bytes pass as they are (no Ctrl-A keys): socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:PATH
Result<std::unique_ptr<Console>> make_socket_console(const std::string& path, ConsoleSinks sinks);

}  // namespace pollux::host
