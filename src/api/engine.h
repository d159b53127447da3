// Which processor engine a machine gets: the translator; the interpreter, which is the reference; or the one that runs both and
// compares them.
#pragma once

#include <memory>
#include <string>

#include "machine/machine.h"

namespace pollux::api {

// Makes computers with memory from the host. engine was checked by the command line.
std::unique_ptr<machine::MachineFactory> machine_factory(const std::string& engine);

}  // namespace pollux::api
