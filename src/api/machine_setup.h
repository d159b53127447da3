// From options to what a machine is made of: kernel and disks are found and read, everything is checked, nothing
// runs yet. A primary and a plain run use prepare(); a backup uses open_disks() and open_nics() alone.
#pragma once

#include <memory>
#include <vector>

#include "api/options.h"
#include "base/result.h"
#include "host/linux_world.h"
#include "machine/computer/config.h"
#include "machine/machine.h"

namespace pollux::api {

struct Prepared {
  machine::computer::Config config;
  std::vector<std::shared_ptr<host::DiskFile>> disks;
  std::vector<host::NicOptions> nics;
};

Result<Prepared> prepare(const MachineOptions& options);

// The machine itself; a kernel that cannot be booted is named.
Result<std::unique_ptr<machine::Machine>> make_machine(const RunOptions& options, ByteSpan configuration);

Result<std::vector<std::shared_ptr<host::DiskFile>>> open_disks(const std::vector<DiskOption>& options);
std::vector<host::NicOptions> nic_options(const std::vector<NetOption>& options);

// "console=ttyS0 root=... APPEND"; a console or root that append names is not given twice.
std::string command_line(const std::string& root, const std::string& append);

}  // namespace pollux::api
