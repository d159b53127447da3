// Memory for translated code, seen at two addresses: written at one, executed at the other, so that no address is both
// writable and executable. host/code_memory makes it.
#pragma once

#include <memory>

#include "base/integers.h"

namespace pollux::memory {

struct CodeRegion {
  u8* write = nullptr;
  const u8* execute = nullptr;
  u64 size = 0;
  std::shared_ptr<void> owner;  // unmaps both
};

}  // namespace pollux::memory
