// The host's own processor as the oracle: runs cases in a child process that can do nothing else.
//
// How: the child maps the memory of case.h, installs signal handlers on an alternate stack, and gives up all system
// calls but those that it needs to wait for work. A batch lies in memory shared with the parent. For each case the
// handler of the trap before has put the whole state (general registers, flags with TF set, FXSAVE area) into the
// signal frame; returning from it loads them and executes one instruction at kCodeAt; the trap or fault that follows
// brings the state back in its own frame. So one case costs one signal.
//
// Invariants
//  1. The child never runs anything but the one instruction outside its handlers and its loop.
//  2. A child that dies or hangs is replaced; its batch's unfinished cases are reported by vector -2.
#pragma once

#include <span>

#include "case.h"

namespace pollux::test {

class Native {
 public:
  static constexpr unsigned kBatch = 512;
  static constexpr i32 kLost = -2;

  Native();
  ~Native();
  Native(const Native&) = delete;

  // The batch to be filled, at most kBatch cases; start() hands it over, finish() waits for the outputs.
  std::span<Input> inputs();
  void start(unsigned count);
  std::span<const Output> finish();

 private:
  struct Shared;
  void spawn();

  Shared* shared_ = nullptr;
  int child_ = -1;
  int work_ = -1, done_ = -1;
  unsigned count_ = 0;
};

}  // namespace pollux::test
