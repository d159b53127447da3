// A host for unit tests of devices: time that the test sets, outputs and wakes that it reads. Tests only.
#pragma once

#include <vector>

#include "device/device.h"

namespace pollux::device {

struct TestHost final : Host {
  door::VirtualNs time;
  std::vector<door::Output> outputs;
  unsigned wakes = 0;
  memory::GuestMemory guest_memory{memory::heap_region(1 << 20)};

  door::VirtualNs now() const override { return time; }
  void emit(door::Output output) override { outputs.push_back(std::move(output)); }
  void wake_board() override { ++wakes; }
  memory::GuestMemory& memory() override { return guest_memory; }

  // Goes to `until`, letting the device do what is due on the way at the exact times.
  void pass(Timed& timed, u64 until) {
    while (timed.deadline().value <= until) {
      time = timed.deadline();
      timed.advance();
    }
    time = door::VirtualNs(until);
  }
};

struct TestLine final : IrqLine {
  bool level = false;
  unsigned edges = 0;
  void set(bool raised) override {
    if (raised && !level) ++edges;
    level = raised;
  }
};

// A second device of the same kind, made from the first one's state, has the same digest and the same state bytes.
template <class Device>
bool copies(Device& from, Device& to) {
  SaveVisitor save;
  from.visit(save);
  const Bytes bytes = save.take();
  LoadVisitor load(bytes);
  to.visit(load);
  DigestVisitor one, two;
  from.visit(one);
  to.visit(two);
  return load.ok() && one.digest() == two.digest();
}

}  // namespace pollux::device
