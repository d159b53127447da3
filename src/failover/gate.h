// The gate: where outputs wait for the output rule (R2). An output leaves once the backup has acknowledged the log up
// to the entry that says that execution reached the output. Only the output waits; the machine runs on.
//
// Invariants
//  1. Outputs leave in the order in which they came.
//  2. No output leaves before its entry is acknowledged, except through open_all(), which is for the winner of an
//     arbitration.
#pragma once

#include <deque>
#include <vector>

#include "door/output.h"

namespace pollux::failover {

class Gate {
 public:
  // needs: how many entries of the log must be acknowledged. Never less than for the output before.
  void hold(door::OutputAt output, u64 needs);

  // The first outputs whose entries are among the acknowledged ones.
  std::vector<door::OutputAt> open(u64 acknowledged);
  std::vector<door::OutputAt> open_all();

  // The position of the output that has waited longest; something must be held.
  door::Position first() const { return held_.front().output.position; }
  std::size_t held() const { return held_.size(); }
  u64 held_bytes() const { return held_bytes_; }

 private:
  struct Held {
    door::OutputAt output;
    u64 needs;
  };
  std::deque<Held> held_;
  u64 held_bytes_ = 0;
};

// What a held output takes.
u64 footprint(const door::Output& output);

}  // namespace pollux::failover
