// What a device sees of the machine around it, and what the machine sees of a device. Devices do not know the
// processor or each other; machine/board wires them.
//
// A device never performs I/O and never reads a clock: time comes from Host::now(), effects leave through
// Host::emit(), answers arrive by a function of the device that the board calls when an input is delivered.
#pragma once

#include "base/visit.h"
#include "door/output.h"
#include "door/position.h"
#include "memory/guest_memory.h"

namespace pollux::device {

class Host {
 public:
  virtual ~Host() = default;
  virtual door::VirtualNs now() const = 0;
  virtual void emit(door::Output output) = 0;
  // The device's deadline or interrupt state changed inside a bus access: the processor must stop after this
  // instruction so that the board looks again.
  virtual void wake_board() = 0;
  // Inside a bus access: the access takes that long. Virtual time jumps; the position does not.
  virtual void pass_time(u64 ns) { (void)ns; }
  virtual memory::GuestMemory& memory() = 0;
};

// A level on an interrupt input (an IO-APIC pin and, below 16, a PIC input). Edges are made by set(true), set(false).
class IrqLine {
 public:
  virtual ~IrqLine() = default;
  virtual void set(bool raised) = 0;
};

// A message-signalled interrupt: a write of data to address (PCI 3.0, 6.8).
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void message(u64 address, u32 data) = 0;
};

// A range of ports or of device memory. offset counts from the range's start; size is 1, 2, 4 or 8.
class Registers {
 public:
  virtual ~Registers() = default;
  virtual u64 read(u64 offset, unsigned size) = 0;
  virtual void write(u64 offset, unsigned size, u64 value) = 0;
};

// A device with timers: deadline() is the virtual time of its next own event (kNever: none); advance() is called
// when now() has reached it, exactly at the first position whose time is not before the deadline.
class Timed {
 public:
  virtual ~Timed() = default;
  virtual door::VirtualNs deadline() const = 0;
  virtual void advance() = 0;
};

}  // namespace pollux::device
