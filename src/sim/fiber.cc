#include "sim/fiber.h"

#include <cstdint>
#include <vector>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define POLLUX_FIBER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define POLLUX_FIBER_SANITIZER 1
#endif
#endif

namespace pollux::sim {
namespace {

constexpr std::size_t kStackBytes = 512 << 10;

// Stacks are used again: a simulation makes a few fibers a run and runs a hundred thousand times.
std::vector<std::unique_ptr<std::byte[]>>& free_stacks() {
  static std::vector<std::unique_ptr<std::byte[]>> stacks;
  return stacks;
}

#ifdef POLLUX_FIBER_SANITIZER
thread_local const void* outer_bottom = nullptr;
thread_local std::size_t outer_size = 0;
void start_switch(void** save, const void* bottom, std::size_t size) {
  __sanitizer_start_switch_fiber(save, bottom, size);
}
void finish_switch(void* saved, bool note_outer) {
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(saved, &bottom, &size);
  if (note_outer) {
    outer_bottom = bottom;
    outer_size = size;
  }
}
#else
constexpr const void* outer_bottom = nullptr;
constexpr std::size_t outer_size = 0;
void start_switch(void**, const void*, std::size_t) {}
void finish_switch(void*, bool) {}
#endif

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  if (free_stacks().empty()) {
    stack_ = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  } else {
    stack_ = std::move(free_stacks().back());
    free_stacks().pop_back();
  }
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = &outside_;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, unsigned(self >> 32), unsigned(self));
}

Fiber::~Fiber() {
  POLLUX_CHECK(done_ || !begun_, "a fiber ends before it goes: objects live on its stack");
  free_stacks().push_back(std::move(stack_));
}

void Fiber::enter(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fiber*>(std::uintptr_t(high) << 32 | low);
  finish_switch(nullptr, true);
  self->body_();
  self->done_ = true;
  self->running_ = false;
  start_switch(nullptr, outer_bottom, outer_size);  // for good: the fake stack goes
}

void Fiber::resume() {
  POLLUX_CHECK(!done_ && !running_, "a fiber that waits is resumed");
  begun_ = running_ = true;
  void* mine = nullptr;
  start_switch(&mine, stack_.get(), kStackBytes);
  swapcontext(&outside_, &inside_);
  finish_switch(mine, false);
}

void Fiber::yield() {
  POLLUX_CHECK(running_, "only the running fiber gives way");
  running_ = false;
  start_switch(&fake_stack_, outer_bottom, outer_size);
  swapcontext(&inside_, &outside_);
  finish_switch(fake_stack_, true);
  running_ = true;
}

}  // namespace pollux::sim
