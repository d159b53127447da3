// The world behind the fence (R7): passes outputs on in order, and lets no write to a disk begin outside of a window
// in which this side's generation is known to own the disks. The window opens with the first write and closes when the
// last one has ended, so that a busy disk costs two lock calls a burst.
//
//   session ─▶ journal ─▶ FencedWorld::perform ─▶ world
//
// Used by the primary, protected or not, and by a promoted backup; the simulation uses the same class.
//
// Invariants
//  1. Outputs reach the world in the order of perform().
//  2. Every write, discard and write of zeroes reaches the world between enter() == kMine and leave().
//  3. After kFenced no output of any kind reaches the world.
// Where the fence cannot be reached, everything waits and is tried again with every wait(). Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "failover/arbiter.h"
#include "world/world.h"

namespace pollux::failover::driver {

class FencedWorld final : public world::World {
 public:
  // on_fenced is called once, from whichever thread found it out.
  FencedWorld(world::World& inner, Fence& fence, Generation generation, std::function<void()> on_fenced);
  ~FencedWorld() override;

  void set_generation(Generation generation);
  // From now on nothing reaches the world: for a side that lost or died.
  void shut();
  bool fenced() const;

  u64 now_ns() override { return inner_.now_ns(); }
  u64 unix_ns() override { return inner_.unix_ns(); }
  void fill_random(std::span<std::byte> bytes) override { inner_.fill_random(bytes); }
  void perform(const door::Output& output) override;
  void wait(u64 deadline_ns, std::vector<door::Input>& arrived) override;
  void notify() override { inner_.notify(); }
  const std::atomic<bool>* arrival() const override { return inner_.arrival(); }

  // The writes that have begun and not ended.
  u64 writes_in_flight() const;
  std::size_t waiting() const;

 private:
  void pass_on_queue();
  bool pass_on(const door::Output& output);
  void completed(const door::DiskCompletionInput& completion);
  void leave_if_quiet();

  world::World& inner_;
  Fence& fence_;
  mutable std::mutex mutex_;
  Generation generation_;
  std::function<void()> on_fenced_;
  std::deque<door::Output> queue_;
  std::vector<std::pair<u32, u64>> in_flight_;  // (disk, request) of writes
  bool inside_ = false;
  bool shut_ = false;
};

}  // namespace pollux::failover::driver
