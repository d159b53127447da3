// The host's end of a guest's network card: a client of the Pollux switch, or a TAP device. Frames are Ethernet
// frames without checksum. A frame that cannot be sent now waits in a bounded queue; beyond it, it is dropped and
// counted, as on any Ethernet.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "host/reactor.h"

namespace pollux::host {

struct NicCounters {
  u64 sent = 0, received = 0, dropped = 0;  // frames; dropped: on the way out
};

class Nic : public Source {
 public:
  static constexpr std::size_t kMaxQueued = 4096;
  static constexpr std::size_t kMaxFrame = 65536 + 18;

  // Called on the reactor's thread.
  struct Sinks {
    std::function<void(Bytes frame)> received;
    std::function<void(bool up)> link;
    std::function<void(const std::string&)> operator_line;
  };

  virtual void send(ByteSpan frame) = 0;  // thread-safe; does not wait
  virtual bool up() const = 0;
  virtual NicCounters counters() const = 0;
};

// wake: makes the reactor ask for interest() again.
// A switch's client fails when no switch listens at the socket. When the switch goes away later, the link goes down,
// the operator is told, and it tries again every kRetryMs until the switch is back.
inline constexpr u64 kRetryMs = 100;
Result<std::unique_ptr<Nic>> make_switch_nic(const std::string& socket_path, Nic::Sinks sinks, std::function<void()> wake);
Result<std::unique_ptr<Nic>> make_tap_nic(const std::string& interface, Nic::Sinks sinks, std::function<void()> wake);

}  // namespace pollux::host
