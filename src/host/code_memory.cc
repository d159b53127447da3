#include "host/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "host/system_error.h"

namespace pollux::host {

Result<memory::CodeRegion> map_code_memory(u64 bytes) {
  const char* const advice = "allow executable memory (SELinux, ulimit -v), or use --engine interpret";
  const int file = ::memfd_create("pollux-code", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, off_t(bytes)) != 0) {
    const int error = errno;
    if (file >= 0) ::close(file);
    return system_fail("the host gives no memory for translated code", error, advice);
  }
  void* write = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  void* execute = ::mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  const int error = errno;
  ::close(file);
  const auto unmap = [=](void*) {
    if (write != MAP_FAILED) ::munmap(write, bytes);
    if (execute != MAP_FAILED) ::munmap(execute, bytes);
  };
  std::shared_ptr<void> owner(write, unmap);
  if (write == MAP_FAILED || execute == MAP_FAILED) {
    return system_fail("the host gives no memory for translated code", error, advice);
  }
  return memory::CodeRegion{static_cast<u8*>(write), static_cast<const u8*>(execute), bytes, std::move(owner)};
}

}  // namespace pollux::host
