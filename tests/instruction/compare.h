// What must be equal after a case, and what may differ: flags and values that the manual leaves undefined or that are
// approximate, and what this project pins by a rule of its own (docs/determinism.md).
#pragma once

#include <string>

#include "templates.h"
#include "case.h"

namespace pollux::test {

// Empty when the outputs agree; else the names of what differs.
std::string compare(const Row& row, const Input& in, const Output& native, const Output& ours);

// Bytes, disassembly, the state before and both states after, side by side; differing lines are marked.
std::string describe(const Row& row, const Input& in, const Output& native, const Output& ours);

}  // namespace pollux::test
