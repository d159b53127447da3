// Memory for translated code, seen at two addresses: written at one, executed at the other, so that no address is both
// writable and executable. host/code_memory makes it.
#pragma once

#include <functional>
#include <memory>

#include "base/integers.h"

namespace pollux::memory {

struct CodeRegion {
  u8* write = nullptr;
  const u8* execute = nullptr;
  u64 size = 0;
  bool has_bmi = false;         // what executes the code, has BMI1 and BMI2
  bool has_fsgsbase = false;    // likewise, where programs may use it
  std::shared_ptr<void> owner;  // unmaps both
  // Told before [from, from + bytes) of what is written is filled, from low addresses to high ones: so that the host
  // may make it cheap to execute. May be empty.
  std::function<void(u8* from, u64 bytes)> about_to_fill;
};

}  // namespace pollux::memory
