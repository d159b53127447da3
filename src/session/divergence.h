// Where two machines that should be equal differ: for the sentence of a divergence, and for tests.
#pragma once

#include <string>

#include "machine/machine.h"

namespace pollux::session {

// "" when equal; else the first component whose digests differ and the first field in it, with both values, e.g.
// "cpu0: cpu0.rip is 00f0ff81 in one and 04f0ff81 in the other".
std::string first_difference(machine::Machine& one, machine::Machine& other);

}  // namespace pollux::session
