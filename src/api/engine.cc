#include "api/engine.h"

#include <cstdio>
#include <cstdlib>

#include "api/report.h"
#include "base/check.h"
#include "host/code_memory.h"
#include "host/memory_region.h"
#include "machine/computer/factory.h"

namespace pollux::api {

namespace {

// What the checking engine found. The guest is in the middle of an instruction that means two things: nothing is to be saved.
void leave_with(const std::string& report) {
  std::fprintf(stderr, "pollux: %s", report.c_str());
  std::_Exit(int(ExitCode::kDivergence));
}

}  // namespace

std::unique_ptr<machine::MachineFactory> machine_factory(const std::string& engine) {
  auto maker = machine::computer::engine_named(engine, host::map_code_memory, leave_with);
  POLLUX_CHECK(maker, "the command line lets no unknown engine through");
  return std::make_unique<machine::computer::ComputerFactory>(std::move(*maker), host::map_region);
}

}  // namespace pollux::api
