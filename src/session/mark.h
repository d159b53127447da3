// Marks of a machine: made by a live session, compared by a replay.
#pragma once

#include <string>

#include "log/entry.h"
#include "machine/machine.h"

namespace pollux::session {

// The machine as it is now.
log::Mark make_mark(machine::Machine& machine);

// The names of the components that differ from the mark, as in "cpu, memory"; "" when the mark does not tell.
std::string different_components(machine::Machine& machine, const log::Mark& mark);

}  // namespace pollux::session
