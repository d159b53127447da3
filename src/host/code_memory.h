// Memory for translated code on Linux.
#pragma once

#include "base/result.h"
#include "memory/code_region.h"

namespace pollux::host {

// bytes: whole pages.
Result<memory::CodeRegion> map_code_memory(u64 bytes);

}  // namespace pollux::host
