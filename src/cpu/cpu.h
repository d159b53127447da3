// One face for every engine. A processor is a deterministic function of its state, guest memory and what the bus
// answers: two engines given the same of these have the same state at every position.
//
// Contract of run(): executes until position() == until, or returns earlier with a reason; never passes until. Where
// early asks for it, it returns at some boundary of instructions after at least one of them.
// Interrupts are taken at instruction boundaries only, when interrupt_line is raised, RFLAGS.IF is set and no shadow
// (STI, MOV SS, POP SS) holds; taking one retires nothing. Faults are delivered to the guest inside run().
//
// Several processors of one machine run in turns, never nested, on one thread. Each counts its position from where
// set_position() puts it at the start of its turn, so that positions are the machine's. While one runs, another one's
// set_interrupt_line() and raise_nmi() may be called, and writes to pages that it watches are reported to it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/early_stop.h"
#include "base/visit.h"
#include "door/position.h"
#include "x86/state.h"

namespace pollux::cpu {

enum class StopReason : u8 {
  kPosition,   // position() == until
  kHalted,     // HLT retired with nothing to wake it; state().halted is set. run() again when something does
  kRequested,  // request_stop() was called during a bus access; that instruction has retired
  kDelivering,  // the same while a fault or an interrupt was delivered, and nothing has retired since: this is not how a
                // run to this position ends
  kEarly,      // at a look that EarlyStop asked for
  kShutdown,   // triple fault: a PC resets (SDM vol. 3, 6.15, interrupt 8)
};

class Cpu {
 public:
  virtual ~Cpu() = default;

  virtual StopReason run(door::Position until, EarlyStop early = {}) = 0;

  // Exact at any moment, also inside bus calls.
  virtual door::Position position() const = 0;
  // Moves the position without executing, between runs: to the machine's position when this processor's turn begins;
  // the machine's wake from idleness counts one.
  virtual void set_position(door::Position position) = 0;

  // The architectural state. Reading is valid between runs, and so is changing it (INIT, start-up): call
  // state_changed() afterwards.
  virtual x86::State& state() = 0;
  virtual void state_changed() = 0;

  // The interrupt controller's level. Raising it wakes a halted processor (if RFLAGS.IF) at its next run().
  virtual void set_interrupt_line(bool raised) = 0;
  // A non-maskable interrupt, taken once at the next boundary.
  virtual void raise_nmi() = 0;
  // run() returns after the current instruction. Only meaningful inside a bus call.
  virtual void request_stop() = 0;

  virtual void visit(Visitor& v) = 0;

  // What the engine did since it was made, by JSON name. Says nothing of the state.
  virtual std::vector<std::pair<std::string, u64>> counters() const { return {}; }
};

}  // namespace pollux::cpu
