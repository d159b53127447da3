// Makes a failing program smaller.
#pragma once

#include <functional>

#include "program.h"

namespace pollux::test::translation {

// Leaves out instructions and events, and makes registers zero, as long as it still fails.
Program minimise(Program program, const std::function<bool(const Program&)>& fails);

}  // namespace pollux::test::translation
