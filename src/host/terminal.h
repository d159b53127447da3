// Raw mode of the terminal on standard input. Whatever way the process ends, short of SIGKILL, the terminal gets its
// settings back: by the destructor, by exit(), by a fatal signal, by an abort.
#pragma once

namespace pollux::host {

class RawTerminal {
 public:
  RawTerminal();   // standard input must be a terminal. At most one exists at a time
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
};

}  // namespace pollux::host
