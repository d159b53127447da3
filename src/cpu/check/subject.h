// What is checked: an engine, and how to look at it closely once it was found to differ.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.h"
#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "memory/guest_memory.h"

namespace pollux::cpu::check {

class Subject {
 public:
  virtual ~Subject() = default;
  virtual Cpu& cpu() = 0;
  virtual const char* name() const = 0;

  // Like cpu().run(), but may return kPosition earlier, where nothing has happened since an instruction retired: after as
  // little as the engine can execute at once. code: the host code that did so, up to somewhere behind its end; empty: none.
  virtual StopReason step(door::Position until, ByteSpan& code) = 0;
};

using MakeSubject = std::function<std::unique_ptr<Subject>(memory::GuestMemory&, Bus&)>;

}  // namespace pollux::cpu::check
