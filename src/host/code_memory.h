// Memory for translated code: one memory at two addresses, one to write at and one to execute at.
#pragma once

#include <memory>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::host {

struct CodeMemory {
  u8* write = nullptr;
  const u8* execute = nullptr;
  u64 size = 0;
  std::shared_ptr<void> owner;  // unmaps both
};

// bytes: whole pages.
Result<CodeMemory> map_code_memory(u64 bytes);

}  // namespace pollux::host
