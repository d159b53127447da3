// `pollux switch`: an Ethernet switch as a process. Its ports are clients of a Unix socket, and a router (router.h).
//
// A client is a connection of sequenced packets; one message is one Ethernet frame without checksum, 14 to 65550
// bytes. There is nothing else to the protocol: connecting plugs the cable in, closing pulls it.
//
// Invariants
//  1. A frame goes to the port where its destination was last heard; if that is unknown or a group, to all others.
//  2. No client makes another wait: each has a bounded queue, and what does not fit is dropped and counted.
//  3. A frame never goes back to the port it came from.
//  4. Frames for an address whose port has gone wait for it to come back elsewhere (held_frames.h).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/event_fd.h"
#include "host/frame_port.h"
#include "host/switch/forward.h"
#include "host/switch/held_frames.h"
#include "host/switch/router.h"
#include "host/switch/switch_table.h"
#include "host/unix_socket.h"

namespace pollux::host::switching {

struct SwitchOptions {
  std::string socket_path;
  std::vector<Forward> forwards;
  bool sandbox = true;  // run_switch() confines the process once everything is open (host/sandbox.h)
};

struct SwitchCounters {
  u64 frames = 0;      // received from clients and the router
  u64 flooded = 0;     // of these, sent to all ports
  u64 dropped = 0;     // not sent to a port because its queue was full
  u64 bad = 0;         // too short or too long to be a frame
  u64 held = 0;        // kept for a guest between two ports
  u64 moves = 0;       // addresses that changed port: promotions
  u64 clients = 0;     // that ever connected
  u64 shortages = 0;   // times that no descriptor was left for another client
};

class Switch {
 public:
  // Binds the socket and the forwards; clients may connect from then on.
  static Result<std::unique_ptr<Switch>> create(const SwitchOptions& options);

  // Serves until stop(), or until stop_fd (-1: none) is readable. Fails only where the kernel refuses to wait.
  Result<void> run(int stop_fd = -1);
  void stop() { stopping_.signal(); }  // from any thread or signal handler

  const SwitchCounters& counters() const { return counters_; }  // from run()'s thread, or after it

 private:
  static constexpr Port kRouterPort = 0;
  static constexpr std::size_t kMaxClients = 256;

  explicit Switch(UnixListener listener) : listener_(std::move(listener)) {}
  void from_port(Port port, ByteSpan frame);
  void to_port(Port port, ByteSpan frame);
  void flood(Port except, ByteSpan frame);
  void accept_clients();
  Result<bool> wait(std::vector<pollfd>& waits, u32 timeout_ms);
  void serve(Port port, short events);
  void drop_port(Port port);

  UnixListener listener_;
  std::unique_ptr<Router> router_;
  std::map<Port, FramePort> clients_;
  Port next_port_ = kRouterPort + 1;
  SwitchTable table_;
  HeldFrames held_;
  SwitchCounters counters_;
  u64 rests_until_ns_ = 0;  // the listener, after a shortage of descriptors
  EventFd stopping_;
};

struct SwitchEnd {
  std::string asked_by;  // which signal, from whom
  SwitchCounters counters;
};

// The `switch` command: serves until SIGINT, SIGTERM or SIGHUP.
Result<SwitchEnd> run_switch(const SwitchOptions& options);

}  // namespace pollux::host::switching
