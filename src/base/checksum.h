// Checksums that find accidents (not attacks): XXH3 with 64 bits, seeded.
#pragma once

#include "base/bytes.h"

namespace pollux {
u64 checksum(ByteSpan bytes, u64 seed = 0);
}  // namespace pollux
