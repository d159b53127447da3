// Performs single steps on open files without making the caller wait. Two engines: io_uring (uring_engine), and a
// pool of threads (thread_engine) for hosts that do not permit io_uring; counters and the start-up line say which.
// Composition, retries and the meaning of errors are disk_service's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "host/reactor.h"

namespace pollux::host {

enum class StepKind : u8 { kRead, kWrite, kSync, kPunch, kZero };

struct Step {
  u64 tag = 0;  // comes back with the result; unique while in flight
  StepKind kind = StepKind::kRead;
  int fd = -1;
  u64 offset = 0;
  u64 length = 0;
  std::byte* data = nullptr;  // read and write: stays valid until the result
  bool durable = false;       // a write returns only when it is on the storage
};

class DiskEngine {
 public:
  // result: bytes moved (read, write; possibly fewer than asked) or 0; or -errno. From any thread, also from inside
  // submit(); called without a lock of the engine held.
  using Done = std::function<void(u64 tag, i64 result)>;

  virtual ~DiskEngine() = default;
  virtual const char* name() const = 0;
  virtual void submit(const Step& step) = 0;
  // Returns when nothing is in flight, also of what Done has submitted meanwhile. Last call; source() is not polled
  // any more.
  virtual void drain() = 0;
  // What must be polled for results; nullptr when the engine has threads of its own.
  virtual Source* source() { return nullptr; }
};

// io_uring; an error (with the reason) when this host does not permit it.
Result<std::unique_ptr<DiskEngine>> make_uring_engine(DiskEngine::Done done);
std::unique_ptr<DiskEngine> make_thread_engine(DiskEngine::Done done);

}  // namespace pollux::host
