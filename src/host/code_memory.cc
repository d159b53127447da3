#include "host/code_memory.h"

#include <asm/hwcap2.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>

#include "host/huge_page.h"
#include "host/system_error.h"

namespace pollux::host {

namespace {

// Address space for both mappings, which begin where a huge page may.
class Space {
 public:
  explicit Space(u64 bytes)
      : part_(up_to_huge_page(bytes)),
        size_(2 * part_ + kHugePage),
        base_(::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  ~Space() {
    if (reserved()) ::munmap(base_, size_);
  }
  bool reserved() const { return base_ != MAP_FAILED; }
  u8* at(unsigned part) const { return reinterpret_cast<u8*>(up_to_huge_page(u64(base_))) + part * part_; }

 private:
  const u64 part_, size_;
  void* const base_;
};

// Programs and their kernel run all over the code: with small pages the host's TLB misses at every other step, which
// makes guests of large programs 5 % slower. A host that has no huge pages for this (before Linux 6.1, or short of
// memory) runs the code from small ones.
void collapse(u8* base, u64 size, u8* from, u64 bytes) {
  const u64 begin = u64(from - base), first = up_to_huge_page(begin);
  if (first >= begin + bytes || first + kHugePage > size) return;
  volatile u8& touched = base[first];  // an empty range is not collapsed
  const u8 same = touched;
  touched = same;
  ::madvise(base + first, kHugePage, MADV_COLLAPSE);
}

}  // namespace

Result<memory::CodeRegion> map_code_memory(u64 bytes) {
  const char* const advice = "allow executable memory (SELinux, ulimit -v), or use --engine interpret";
  const int file = ::memfd_create("pollux-code", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, off_t(bytes)) != 0) {
    const int error = errno;
    if (file >= 0) ::close(file);
    return system_fail("the host gives no memory for translated code", error, advice);
  }
  const auto space = std::make_shared<Space>(bytes);
  const auto map = [&](unsigned part, int protection) {
    return ::mmap(space->at(part), bytes, protection, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
  };
  const bool mapped = space->reserved() && map(0, PROT_READ | PROT_WRITE) && map(1, PROT_READ | PROT_EXEC);
  const int error = errno;
  ::close(file);
  if (!mapped) return system_fail("the host gives no memory for translated code", error, advice);
  u8* const write = space->at(0);
  return memory::CodeRegion{.write = write,
                            .execute = space->at(1),
                            .size = bytes,
                            .has_bmi = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"),
                            .has_fsgsbase = (::getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0,
                            .owner = space,
                            .about_to_fill = [=](u8* from, u64 length) { collapse(write, bytes, from, length); }};
}

}  // namespace pollux::host
