// A machine: processors, memory and devices as one deterministic value. It is a function of the sequence of
// (position, input) delivered to it; sessions drive it. Implemented by Computer (machine/computer) and by
// CounterMachine, twenty lines that keep every upper layer honest.
//
// Invariants
//  1. Two machines of equal configuration that were delivered equal inputs at equal positions have equal digests
//     and have emitted equal outputs at every position, however their runs were sliced.
//  2. position() never decreases and run(until) never passes until.
//  3. Virtual time is a function of position and delivered clock inputs; it never goes backward.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/early_stop.h"
#include "base/result.h"
#include "base/visit.h"
#include "door/input.h"
#include "door/output.h"

namespace pollux::machine {

enum class RunStop : u8 {
  kPosition,  // reached until
  kIdle,      // halted: nothing happens before idle_until() or an input. skip_idle() or deliver() goes on
  kOutput,    // outputs wait to be taken; the instruction that made them has retired
  kEarly,     // at a look that EarlyStop asked for
  kOff,       // powered off, reset (a reset ends the machine; the app decides to make it anew), or stopped
};

// Only sessions can make one: inputs enter a machine nowhere else.
class DeliverKey {
  friend struct SessionDoor;  // session/session_door.h
  friend struct TestDoor;     // tests
  DeliverKey() = default;
};

class Machine {
 public:
  virtual ~Machine() = default;

  // Runs until the position, or stops earlier with a reason. Call again to go on. Where early asks for it, that is
  // soon, but never before anything was executed.
  virtual RunStop run(door::Position until, EarlyStop early = {}) = 0;

  // Delivers an input at the current position.
  virtual void deliver(DeliverKey key, const door::Input& input) = 0;

  // Outputs since the last call, in the order the guest made them.
  virtual std::vector<door::OutputAt> take_outputs() = 0;

  virtual door::Position position() const = 0;
  virtual door::VirtualNs now() const = 0;

  // While idle: the virtual time at which the machine wakes by itself (kNever: only an input wakes it).
  virtual door::VirtualNs idle_until() const = 0;
  // While idle with idle_until() != kNever: virtual time jumps to idle_until(), the position advances by one, the
  // machine wakes. Deterministic, so it is not logged: a replay skips when the next log entry is at a later position.
  virtual void skip_idle() = 0;

  // Bytes the entropy device would like; a function of state. The live session answers with an EntropyInput.
  virtual u64 entropy_wanted() const { return 0; }

  // Digest of the whole state. Cheap after few writes (memory rehashes dirty pages only).
  virtual u64 digest() = 0;
  // Does what digest() would have to, or up to where early asks for a stop a part of it: false. What is done stays so
  // while the machine runs on.
  virtual bool prepare_digest(EarlyStop) { return true; }
  // Digests of the parts, by component name, for naming the first one that differs.
  virtual std::vector<std::pair<std::string, u64>> component_digests() = 0;
  // Save, restore and compare the whole state.
  virtual void visit(Visitor& v) = 0;

  // What the engine did since the machine was made, by JSON name. Says nothing of the state.
  virtual std::vector<std::pair<std::string, u64>> counters() const { return {}; }
};

// Makes a machine from its configuration as bytes, which a log's header and a primary's hello hold: equal bytes make
// equal machines. Who may need the bytes again keeps them: they have the kernel in them, and a machine has it in its memory.
class MachineFactory {
 public:
  virtual ~MachineFactory() = default;
  virtual Result<std::unique_ptr<Machine>> make(ByteSpan configuration) = 0;
};

}  // namespace pollux::machine
