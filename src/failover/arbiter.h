// The arbiter as the protocol sees it: an atomic test-and-set of a generation (R5). Whoever wins goes live, the loser
// halts itself, and where the arbiter cannot be reached one waits and asks again.
//
// Invariants every implementation keeps
//  1. At most one claimant ever wins a generation.
//  2. The answer is stable: the winner who asks again wins again (its first answer may have been lost on the way).
//  3. A generation below the highest one that was won cannot be won by anybody new.
#pragma once

#include <string_view>

#include "base/integers.h"
#include "failover/generation.h"

namespace pollux::failover {

enum class ArbiterAnswer : u8 { kWon, kLost, kUnreachable };

class Arbiter {
 public:
  virtual ~Arbiter() = default;

  // claimant names one run of one side, never used by any other run. May take as long as storage takes.
  virtual ArbiterAnswer claim(Generation generation, std::string_view claimant) = 0;
};

// What stands between a side and shared storage (R7). After raise(g) succeeded, every write of an older generation
// has landed or never will.
enum class FenceAnswer : u8 {
  kMine,         // writes of this generation may go on
  kFenced,       // a newer generation owns the disks
  kUnreachable,  // unknown: wait
};

}  // namespace pollux::failover
