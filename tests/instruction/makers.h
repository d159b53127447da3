// What Intel's and AMD's processors do differently where Pollux has one rule for all hosts (docs/determinism.md).
// Each case says in which form and on which condition, and makes of our result what the other maker's processor would
// have; so that both are compared in full, on a host of either.
#pragma once

#include "case.h"
#include "templates.h"

namespace pollux::test {

// Whether the makers differ here. Then ours becomes the other one's result; where that one leaves something open, it
// is taken from native, within what is permitted.
bool other_maker(const Row& row, const Input& in, const Output& native, Output& ours);

// Whether a prefix of the instruction is this byte. (REX, which stands behind the prefixes, ends the search.)
bool has_prefix(const Input& in, u8 prefix);

}  // namespace pollux::test
