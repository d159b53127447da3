// A client outside: sends a request, waits for an answer with a higher counter than it has seen, repeats itself when
// none comes, thinks, sends the next. What it saw is the checkers' business.
#pragma once

#include "sim/network.h"

namespace pollux::sim {

class Client {
 public:
  Client(Shared& shared, Network& network, u64 think_ns) : shared_(shared), network_(network), think_ns_(think_ns) {}

  void start();
  void stop() { stopped_ = true; }
  u64 answered() const { return answered_; }

 private:
  void request();
  void got(ByteSpan frame);
  void repeat_later(u64 number, u64 delay_ns);

  Shared& shared_;
  Network& network_;
  u64 think_ns_;
  u64 asked_ = 0;
  u64 answered_ = 0;
  u64 highest_ = 0;
  bool stopped_ = false;
};

}  // namespace pollux::sim
