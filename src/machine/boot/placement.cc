#include "machine/boot/placement.h"

#include <algorithm>
#include <limits>

#include "machine/boot/low_memory.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::kPageMask;
using memory::PhysAddr;

namespace {

std::string megabytes(u64 bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

std::unexpected<Error> does_not_fit(const char* what, u64 end, const GuestMemory& memory) {
  return fail(ErrorKind::kUsage, std::string(what) + " does not fit into the machine's memory of " +
                                     megabytes(memory.size()) + ": it needs memory up to " + megabytes(end) +
                                     "; give the machine more with --memory");
}

}  // namespace

Result<Placed> place(ByteSpan bytes, u64 base, u64 size, GuestMemory& memory) {
  const u64 end = base + size;
  if (end < base || end > (u64{1} << 32))
    return fail(ErrorKind::kFormat, "the kernel asks to be loaded above 4 GiB, where no loader can put it");
  if (base < kStackTop || (base < kOneMegabyte && end > kLowEnd))
    return fail(ErrorKind::kFormat, "the kernel asks to be loaded where the machine keeps its tables, below 1 MiB");
  if (!memory.contains(PhysAddr(base), size)) return does_not_fit("the kernel", end, memory);
  memory.write(PhysAddr(base), bytes.first(std::min<u64>(bytes.size(), size)));
  return Placed{base, size};  // the rest is zeroes already: memory is new
}

Result<Placed> place_segments(const ElfImage& image, GuestMemory& memory) {
  u64 first = std::numeric_limits<u64>::max();
  u64 end = 0;
  for (const ElfSegment& segment : image.segments) {
    const auto placed = place(segment.contents, segment.physical, segment.memory_size, memory);
    if (!placed) return fail(placed.error().kind, placed.error().sentence);
    first = std::min(first, placed->base);
    end = std::max(end, placed->end());
  }
  return Placed{first, end - first};
}

Result<Placed> place_initrd(ByteSpan initrd, u64 address_max, u64 floor, GuestMemory& memory) {
  if (initrd.empty()) return Placed{};
  const u64 top = std::min(memory.low_bytes(), address_max + 1);
  const u64 lowest = std::max((floor + kPageMask) & ~kPageMask, kOneMegabyte);
  if (initrd.size() > top || ((top - initrd.size()) & ~kPageMask) < lowest)
    return does_not_fit("the initrd", lowest + initrd.size(), memory);
  const u64 base = (top - initrd.size()) & ~kPageMask;
  memory.write(PhysAddr(base), initrd);
  return Placed{base, initrd.size()};
}

Result<void> place_command_line(const std::string& line, u64 limit, GuestMemory& memory) {
  const u64 longest = std::min(limit, kCommandLineRoom - 1);
  if (line.size() > longest)
    return fail(ErrorKind::kUsage, "the kernel command line is too long: " + std::to_string(line.size()) +
                                       " characters, and this kernel takes " + std::to_string(longest));
  if (line.find('\0') != std::string::npos)
    return fail(ErrorKind::kUsage, "the kernel command line contains a zero character");
  memory.write(PhysAddr(kCommandLineAt), as_bytes(line));
  memory.write(PhysAddr(kCommandLineAt + line.size()), Bytes(1));
  return {};
}

}  // namespace pollux::machine::boot
