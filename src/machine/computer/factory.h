// Makes computers from configuration bytes, for power-on, replay and backup alike.
#pragma once

#include <functional>

#include "machine/computer/computer.h"

namespace pollux::machine::computer {

// Zeroed memory of so many bytes, or why there is none: host::map_region, or a test's heap.
using RegionMaker = std::function<Result<memory::Region>(u64 bytes)>;

class ComputerFactory final : public MachineFactory {
 public:
  ComputerFactory(EngineMaker engine, RegionMaker region) : engine_(std::move(engine)), region_(std::move(region)) {}

  Result<std::unique_ptr<Machine>> make(ByteSpan configuration) override {
    Result<Config> config = decode(configuration);
    if (!config) return pass(config);
    Result<memory::Region> region = region_(config->memory_bytes);
    if (!region) return pass(region);
    auto computer = Computer::create(std::move(*config), std::move(*region), engine_);
    if (!computer) return pass(computer);
    return std::unique_ptr<Machine>(std::move(*computer));
  }

 private:
  EngineMaker engine_;
  RegionMaker region_;
};

}  // namespace pollux::machine::computer
