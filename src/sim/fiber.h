// A stack of its own within the one thread of a simulation: code that waits (a session) runs in it and gives way
// instead. Switches only where yield() and resume() stand, so a run stays a function of its seed.
#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>

namespace pollux::sim {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();  // must not have begun, or be done
  Fiber(const Fiber&) = delete;

  // From outside: runs the body until it yields or ends.
  void resume();
  // From inside: back to who resumed.
  void yield();
  bool done() const { return done_; }
  bool running() const { return running_; }

 private:
  static void enter(unsigned high, unsigned low);

  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t inside_{};
  ucontext_t outside_{};
  bool begun_ = false;
  bool done_ = false;
  bool running_ = false;
  void* fake_stack_ = nullptr;  // for the address sanitizer
};

}  // namespace pollux::sim
