// What can be seen of a simulated pair, for the checkers: everything that passes a door, the channel, the arbiter, the
// fence or the disk, as it happens. Observers look and never touch.
#pragma once

#include <string>

#include "door/input.h"
#include "door/output.h"
#include "failover/arbiter.h"
#include "failover/event.h"
#include "failover/message.h"
#include "sim/host.h"

namespace pollux::sim {

enum class Ended : u8 { kStopped, kHalted, kKilled };

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void begin(const Scheduler&) {}  // whose clock tells when something happened

  // Machines.
  virtual void delivered(Side, door::Position, const door::Input&) {}
  virtual void ran(Side, door::Position) {}
  virtual void made(Side, const door::OutputAt&) {}  // by the machine: live, or replayed and dropped
  virtual void finished(Side, door::Position) {}     // the machine ended in order while this side was live

  // The channel. A message arrives when the process takes it.
  virtual void sent(Side, const failover::Message&) {}
  virtual void arrived(Side, const failover::Message&) {}
  virtual void beat(Side, const failover::Heartbeat&) {}   // sent beside the channel
  virtual void heard(Side, const failover::Heartbeat&) {}  // taken by the process
  virtual void buffered(Side, u64 /*bytes*/, u64 /*limit*/) {}
  virtual void lagged(Side, u64 /*lag_ns*/) {}

  // The world.
  virtual void released(Side, const door::OutputAt&) {}  // the decisions let it go
  virtual void performed(Side, const door::Output&) {}   // it left the process
  virtual void announced(Side) {}
  virtual void client_sent() {}
  virtual void client_got(ByteSpan /*frame*/) {}

  // Storage.
  virtual void claimed(Side, failover::Generation, failover::ArbiterAnswer) {}
  virtual void raised(Side, failover::Generation) {}
  virtual void disk_started(Side, const door::DiskOutput&) {}
  virtual void disk_ended(Side, const door::DiskOutput&) {}  // done, or given up by a dead side
  virtual void disk_landed(Side, failover::Generation, const door::DiskOutput&) {}

  // Life and death.
  virtual void live(Side, failover::Generation, door::Position) {}   // promoted, or alone
  virtual void event(Side, const failover::Event&) {}
  virtual void ended(Side, Ended) {}
  virtual void paused(Side, u64 /*until_ns*/) {}
  virtual void fault(std::string_view) {}  // a misfortune begins or ends
};

}  // namespace pollux::sim
