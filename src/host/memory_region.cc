#include "host/memory_region.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>

#include "host/system_error.h"

namespace pollux::host {
namespace {

std::string mebibytes(u64 bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// The number after a key of /proc/meminfo, in bytes; 0 when it is not there.
u64 meminfo(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (u64 kibibytes; file >> name >> kibibytes && std::getline(file, unit);) {
    if (name == key + ":") return kibibytes << 10;
  }
  return 0;
}

u64 number_in(const std::string& path, u64 otherwise) {
  std::ifstream file(path);
  u64 number;
  return file >> number ? number : otherwise;  // "max" is not a number
}

u64 left_under_limit() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    const std::string folder = "/sys/fs/cgroup" + line.substr(3);
    const u64 limit = number_in(folder + "/memory.max", ~u64{0});
    const u64 used = number_in(folder + "/memory.current", 0);
    return limit - std::min(limit, used);
  }
  return ~u64{0};
}

}  // namespace

u64 available_memory_bytes() { return std::min(meminfo("MemAvailable") + meminfo("SwapFree"), left_under_limit()); }

Result<void> check_memory(u64 wanted_bytes, u64 available_bytes) {
  if (wanted_bytes <= available_bytes) return {};
  return fail(ErrorKind::kEnvironment, "the guest's memory of " + mebibytes(wanted_bytes) + " is more than the " +
                                           mebibytes(available_bytes) +
                                           " that this host has left: ask for less with --memory, or free some");
}

Result<memory::Region> map_region(u64 bytes) {
  if (Result<void> fits = check_memory(bytes, available_memory_bytes()); !fits) return pass(fits);
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return system_fail("the host gives no " + mebibytes(bytes) + " for the guest's memory", errno,
                       "ask for less with --memory, or raise the process's limits (ulimit -v)");
  }
  // Both only help: larger pages make every guest access cheaper; a core file needs no guest.
  ::madvise(base, bytes, MADV_HUGEPAGE);
  ::madvise(base, bytes, MADV_DONTDUMP);
  const auto unmap = [bytes](std::byte* memory) { ::munmap(memory, bytes); };
  return memory::Region{std::shared_ptr<std::byte>(static_cast<std::byte*>(base), unmap), bytes};
}

}  // namespace pollux::host
