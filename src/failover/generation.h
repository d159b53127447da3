// Generation: the number that an arbitration hands out. Of all that ever ran a pair's machine, the one that owns the
// highest generation may act on the world; it fences every later write (R7).
#pragma once

#include "base/integers.h"

namespace pollux::failover {

struct GenerationTag {};
using Generation = Strong<GenerationTag>;

}  // namespace pollux::failover
