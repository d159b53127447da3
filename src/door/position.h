// Position: instructions retired since the machine was made; the only notion of time inside a machine.
// A faulting instruction has not retired. Each iteration of a REP string instruction counts one. HLT counts one,
// and so does the wake of a halted machine by its next timer (a skip), so that "before the skip" and "after it"
// are different positions.
#pragma once

#include "base/integers.h"

namespace pollux::door {

struct PositionTag {};
using Position = Strong<PositionTag>;

// Nanoseconds of the guest's own time since power-on. Computed from the position and the last clock input.
struct VirtualNsTag {};
using VirtualNs = Strong<VirtualNsTag>;

inline constexpr Position kEndOfTime{~u64{0}};
inline constexpr VirtualNs kNever{~u64{0}};

}  // namespace pollux::door
