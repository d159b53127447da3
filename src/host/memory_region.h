// Host memory for a guest's: anonymous, zero-filled, given by the kernel page by page as it is touched.
//
// Policy: a guest's memory is refused when it is larger than what the host could give now: MemAvailable plus free
// swap, or what is left under the process's memory limit (cgroup) if that is less. It is not reserved: several guests
// started one after another may together exceed the host, and then the kernel's out-of-memory killer chooses.
#pragma once

#include "base/result.h"
#include "memory/guest_memory.h"

namespace pollux::host {

Result<memory::Region> map_region(u64 bytes);

// What the host could give now, by the policy above.
u64 available_memory_bytes();
// The decision alone, with its sentence.
Result<void> check_memory(u64 wanted_bytes, u64 available_bytes);

}  // namespace pollux::host
