#include "api/engine.h"

#include "base/check.h"
#include "host/code_memory.h"
#include "host/memory_region.h"
#include "machine/computer/factory.h"

namespace pollux::api {

std::unique_ptr<machine::MachineFactory> machine_factory(const std::string& engine) {
  auto maker = machine::computer::engine_named(engine, host::map_code_memory);
  POLLUX_CHECK(maker, "the command line lets no unknown engine through");
  return std::make_unique<machine::computer::ComputerFactory>(std::move(*maker), host::map_region);
}

}  // namespace pollux::api
