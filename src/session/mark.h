// Marks of a machine: made by a live session, compared by a replay.
#pragma once

#include <string>

#include "log/entry.h"
#include "machine/machine.h"

namespace pollux::session {

// The machine as it is now.
log::Mark make_mark(machine::Machine& machine);

// The name of the first component that differs from the mark; "" when the mark does not tell.
std::string first_different_component(machine::Machine& machine, const log::Mark& mark);

}  // namespace pollux::session
