#include "api/machine_setup.h"

#include "api/engine.h"
#include "host/file.h"
#include "host/mac.h"
#include "storage/kernel_finder.h"

namespace pollux::api {

namespace {

using machine::computer::Config;

// The kernel that was named, or the one inside the first disk; says which root the guest has.
Result<void> load_kernel(const MachineOptions& options, Config& config) {
  std::string root = options.disks.empty() ? "" : "/dev/vda";
  if (!options.kernel.empty()) {
    auto kernel = host::read_file(options.kernel, "the kernel");
    if (!kernel) return pass(kernel);
    config.kernel = std::move(*kernel);
  } else if (!options.disks.empty()) {
    auto found = storage::find_kernel(options.disks.front().path);
    if (!found) return pass(found);
    config.kernel = std::move(found->kernel);
    config.initrd = std::move(found->initrd);
    root = found->root;
  } else {
    return fail(ErrorKind::kUsage, "there is nothing to boot: give --disk IMAGE with a Debian system, or --kernel FILE");
  }
  if (!options.initrd.empty()) {
    auto initrd = host::read_file(options.initrd, "the initial RAM disk");
    if (!initrd) return pass(initrd);
    config.initrd = std::move(*initrd);
  }
  config.command_line = command_line(root, options.append);
  return {};
}

Result<void> add_nics(const MachineOptions& options, Config& config) {
  for (u32 i = 0; i < options.nets.size(); ++i) {
    host::Mac mac = host::default_mac(options.name, i);
    if (options.nets[i].mac) {
      const auto parsed = host::parse_mac(*options.nets[i].mac);
      if (!parsed) return fail(ErrorKind::kUsage, parsed.error().sentence);
      mac = *parsed;
    }
    config.nics.push_back({.mac = mac});
  }
  return {};
}

bool names(const std::string& words, const std::string& key) {
  return words.starts_with(key) || words.find(" " + key) != std::string::npos;
}

}  // namespace

std::string command_line(const std::string& root, const std::string& append) {
  std::string line;
  if (!names(append, "console=")) line += "console=ttyS0 ";
  if (!root.empty() && !names(append, "root=")) line += "root=" + root + " ";
  line += append;
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

Result<std::vector<std::shared_ptr<host::DiskFile>>> open_disks(const std::vector<DiskOption>& options) {
  std::vector<std::shared_ptr<host::DiskFile>> disks;
  for (const DiskOption& option : options) {
    using Access = host::DiskFile::Access;
    auto disk = host::DiskFile::open(option.path, option.read_only ? Access::kReadOnly : Access::kReadWrite);
    if (!disk) return pass(disk);
    disks.push_back(std::move(*disk));
  }
  return disks;
}

std::vector<host::NicOptions> nic_options(const std::vector<NetOption>& options) {
  std::vector<host::NicOptions> nics;
  for (const NetOption& option : options) {
    using Kind = host::NicOptions::Kind;
    nics.push_back({.kind = option.kind == NetKind::kTap ? Kind::kTap : Kind::kSwitch, .target = option.target});
  }
  return nics;
}

Result<Prepared> prepare(const MachineOptions& options) {
  Prepared prepared;
  prepared.config.memory_bytes = options.memory_bytes;
  prepared.config.cpus = options.cpus;
  auto disks = open_disks(options.disks);
  if (!disks) return pass(disks);
  prepared.disks = std::move(*disks);
  for (u32 i = 0; i < prepared.disks.size(); ++i) {
    prepared.config.disks.push_back({.size_bytes = prepared.disks[i]->size_bytes(),
                                     .read_only = prepared.disks[i]->read_only(),
                                     .serial = "pollux-" + std::to_string(i)});
  }
  if (auto done = load_kernel(options, prepared.config); !done) return pass(done);
  if (auto done = add_nics(options, prepared.config); !done) return pass(done);
  if (auto done = validate(prepared.config); !done) return pass(done);
  prepared.nics = nic_options(options.nets);
  return prepared;
}

Result<std::unique_ptr<machine::Machine>> make_machine(const RunOptions& options, ByteSpan configuration) {
  auto machine = machine_factory(options.engine)->make(configuration);
  if (machine || machine.error().kind != ErrorKind::kFormat) return machine;
  const MachineOptions& from = options.machine;
  const std::string kernel = from.kernel.empty() ? "in " + from.disks.at(0).path : from.kernel;
  return fail(ErrorKind::kFormat, "the kernel " + kernel + " cannot be booted: " + machine.error().sentence);
}

}  // namespace pollux::api
