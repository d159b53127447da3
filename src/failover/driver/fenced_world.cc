#include "failover/driver/fenced_world.h"

#include <algorithm>

namespace pollux::failover::driver {
namespace {

// A flush changes nothing that a later owner could miss: what it flushes has landed already.
bool is_write(const door::Output& output) {
  const auto* disk = std::get_if<door::DiskOutput>(&output);
  return disk && disk->operation != door::DiskOperation::kRead && disk->operation != door::DiskOperation::kFlush;
}

}  // namespace

FencedWorld::FencedWorld(world::World& inner, Fence& fence, Generation generation, std::function<void()> on_fenced)
    : inner_(inner), fence_(fence), generation_(generation), on_fenced_(std::move(on_fenced)) {}

// Inside, only the process's end leaves: writes may still be under way.
FencedWorld::~FencedWorld() {
  if (inside_ && in_flight_.empty()) fence_.leave();
}

void FencedWorld::set_generation(Generation generation) {
  std::lock_guard lock(mutex_);
  generation_ = generation;
}

void FencedWorld::shut() {
  std::lock_guard lock(mutex_);
  shut_ = true;
  queue_.clear();
  leave_if_quiet();
}

bool FencedWorld::fenced() const {
  std::lock_guard lock(mutex_);
  return shut_;
}

void FencedWorld::perform(const door::Output& output) {
  bool found_out = false;
  {
    std::lock_guard lock(mutex_);
    if (shut_) return;
    if (!queue_.empty() || !pass_on(output)) queue_.push_back(output);
    found_out = shut_;
  }
  if (found_out) on_fenced_();
}

void FencedWorld::wait(u64 deadline_ns, std::vector<door::Input>& arrived) {
  bool found_out = false;
  {
    std::lock_guard lock(mutex_);
    if (!shut_ && !queue_.empty()) {
      pass_on_queue();
      found_out = shut_;
      // Not asleep while outputs wait for storage.
      if (!queue_.empty()) deadline_ns = std::min(deadline_ns, inner_.now_ns() + 10'000'000);
    }
  }
  if (found_out) on_fenced_();
  const std::size_t before = arrived.size();
  inner_.wait(deadline_ns, arrived);
  for (std::size_t i = before; i < arrived.size(); ++i) {
    if (const auto* completion = std::get_if<door::DiskCompletionInput>(&arrived[i])) completed(*completion);
  }
}

u64 FencedWorld::writes_in_flight() const {
  std::lock_guard lock(mutex_);
  return in_flight_.size();
}

std::size_t FencedWorld::waiting() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void FencedWorld::pass_on_queue() {
  while (!queue_.empty() && pass_on(queue_.front())) queue_.pop_front();
  if (shut_) queue_.clear();
}

// False: it cannot pass now, or, when shut_ became true, ever.
bool FencedWorld::pass_on(const door::Output& output) {
  if (is_write(output)) {
    if (!inside_) {
      const FenceAnswer answer = fence_.enter(generation_);
      shut_ = answer == FenceAnswer::kFenced;
      if (answer != FenceAnswer::kMine) return false;
      inside_ = true;
    }
    const auto& disk = std::get<door::DiskOutput>(output);
    in_flight_.emplace_back(disk.disk, disk.request);
  }
  inner_.perform(output);
  return true;
}

void FencedWorld::completed(const door::DiskCompletionInput& completion) {
  std::lock_guard lock(mutex_);
  std::erase(in_flight_, std::pair{completion.disk, completion.request});
  leave_if_quiet();
}

void FencedWorld::leave_if_quiet() {
  if (!inside_ || !in_flight_.empty()) return;
  inside_ = false;
  fence_.leave();
}

}  // namespace pollux::failover::driver
