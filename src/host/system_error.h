// errno in words. A sentence that reaches the operator names what was tried and what to do; the reason is the
// system's own: "disk.img cannot be opened (permission denied): ...".
#pragma once

#include <string>

#include "base/result.h"

namespace pollux::host {

// "permission denied": lower case, no full stop.
std::string reason(int error_number);

// "<subject> (<reason>): <advice>" as an environment error.
std::unexpected<Error> system_fail(const std::string& subject, int error_number, const std::string& advice);

}  // namespace pollux::host
