#include "base/checksum.h"

#include <xxhash.h>

namespace pollux {

u64 checksum(ByteSpan bytes, u64 seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace pollux
