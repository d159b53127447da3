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

// What a side hears when it touches the fence.
enum class FenceAnswer : u8 {
  kMine,         // writes of this generation may go on
  kFenced,       // a newer generation owns the disks
  kUnreachable,  // unknown: wait
};

// What stands between a side and shared storage (R7): a lock with the newest generation inside. Storage that is a plain
// file cannot refuse an old writer's write, so every writer fences itself: it holds the lock from before it looks at
// the generation until its writes have ended.
//
// Invariants every implementation keeps
//  1. Between enter(g) == kMine and leave(), raise() of any other side fails: what was started inside has landed before
//     a newer generation begins, however long the writer was stopped in between.
//  2. After raise(g) == kMine, enter() of an older generation gives kFenced, for ever.
//  3. A side that dies inside leaves when its last write has ended.
class Fence {
 public:
  virtual ~Fence() = default;
  virtual FenceAnswer enter(Generation generation) = 0;
  virtual void leave() = 0;
  // After kMine this side may take the disks over and write to them.
  virtual FenceAnswer raise(Generation generation) = 0;
};

}  // namespace pollux::failover
