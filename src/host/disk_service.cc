#include "host/disk_service.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "host/system_error.h"

namespace pollux::host {

using door::DiskOperation;
using door::DiskStatus;

namespace {

bool changes(DiskOperation operation) { return operation != DiskOperation::kRead && operation != DiskOperation::kFlush; }

StepKind first_step(DiskOperation operation) {
  switch (operation) {
    case DiskOperation::kRead: return StepKind::kRead;
    case DiskOperation::kWrite: return StepKind::kWrite;
    case DiskOperation::kFlush: return StepKind::kSync;
    case DiskOperation::kDiscard: return StepKind::kPunch;
    case DiskOperation::kWriteZeroes: return StepKind::kZero;
  }
  return StepKind::kRead;
}

}  // namespace

DiskService::DiskService(std::vector<std::shared_ptr<DiskFile>> disks, WritePolicy policy, EngineChoice choice,
                         Sinks sinks)
    : disks_(std::move(disks)), policy_(policy), sinks_(std::move(sinks)), order_(disks_.size()) {
  const auto done = [this](u64 tag, i64 result) { step_done(tag, result); };
  if (choice == EngineChoice::kBest) {
    Result<std::unique_ptr<DiskEngine>> uring = make_uring_engine(done);
    if (uring) {
      engine_ = std::move(*uring);
      return;
    }
    if (!disks_.empty()) sinks_.operator_line(uring.error().sentence);
  }
  engine_ = make_thread_engine(done);
}

DiskService::~DiskService() { engine_->drain(); }

bool DiskService::valid(const Request& request) const {
  const u64 size = disks_[request.disk]->size_bytes();
  if (request.operation == DiskOperation::kFlush) return true;
  if (request.operation == DiskOperation::kWrite && request.data.size() != request.length) return false;
  return request.length > 0 && request.offset <= size && request.length <= size - request.offset;
}

void DiskService::submit(const door::DiskOutput& output) {
  POLLUX_CHECK(output.disk < disks_.size(), "a machine asks only for disks that it has");
  u64 tag;
  {
    std::lock_guard lock(mutex_);
    tag = next_tag_++;
    Request request{output.disk, output.request, output.operation, output.offset, output.length, output.data};
    request.step = first_step(output.operation);
    if (!valid(request)) request.status = DiskStatus::kIoError;
    const u64 length = request.status == DiskStatus::kOk ? request.length : 0;
    if (request.operation == DiskOperation::kRead && length > 0) request.data.resize(length);
    const bool now = order_[output.disk].add(tag, request.operation, request.offset, length);
    requests_.emplace(tag, std::move(request));
    if (!now) return;
  }
  start(tag);
}

void DiskService::start(u64 tag) {
  Step step;
  DiskStatus status = DiskStatus::kOk;
  {
    std::lock_guard lock(mutex_);
    Request& request = requests_.at(tag);
    status = request.status;
    if (status == DiskStatus::kOk && changes(request.operation) && !disks_[request.disk]->may_write()) {
      ++counters_.refused;
      status = DiskStatus::kIoError;
    }
    step = step_for(tag, request);
  }
  if (status == DiskStatus::kOk) {
    engine_->submit(step);
  } else {
    complete(tag, status);
  }
}

Step DiskService::step_for(u64 tag, Request& request) const {
  Step step{tag, request.step, disks_[request.disk]->fd(), request.offset, request.length, nullptr, false};
  if (step.kind == StepKind::kRead || step.kind == StepKind::kWrite) {
    step.offset += request.moved;
    step.length -= request.moved;
    step.data = request.data.data() + request.moved;
    step.durable = policy_ == WritePolicy::kWriteThrough;
  }
  return step;
}

void DiskService::step_done(u64 tag, i64 result) {
  Step step;
  DiskStatus status = DiskStatus::kOk;
  bool more;
  {
    std::lock_guard lock(mutex_);
    Request& request = requests_.at(tag);
    more = next_step(request, result, status);
    if (more) step = step_for(tag, request);
  }
  if (more) {
    engine_->submit(step);
  } else {
    complete(tag, status);
  }
}

// Decides what follows a step: another one (true), or the end with a status (false).
bool DiskService::next_step(Request& request, i64 result, DiskStatus& status) {
  // A request is cancelled when the thread that submitted it ends; its machine still wants it.
  if (result == -EINTR || result == -EAGAIN || result == -ECANCELED) return true;
  const bool unsupported = result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
  if (unsupported && request.operation == DiskOperation::kWriteZeroes && request.step != StepKind::kWrite) {
    // A hole reads as zeroes too; and zeroes can always be written.
    const bool tried_hole = request.step == StepKind::kPunch;
    request.step = tried_hole ? StepKind::kWrite : StepKind::kPunch;
    if (tried_hole) request.data.assign(request.length, std::byte{0});
    return true;
  }
  if (result < 0) {
    status = status_of(request, int(-result));
    return false;
  }
  if (request.step == StepKind::kRead || request.step == StepKind::kWrite) {
    request.moved += u64(result);
    if (request.moved < request.length) {
      if (result > 0) return true;
      status = status_of(request, EIO);  // the file ends before the disk does: somebody cut it
    }
    return false;
  }
  if (changes(request.operation) && policy_ == WritePolicy::kWriteThrough && request.step != StepKind::kSync) {
    request.step = StepKind::kSync;
    return true;
  }
  return false;
}

DiskStatus DiskService::status_of(const Request& request, int error_number) {
  DiskStatus status = DiskStatus::kIoError;
  std::string advice = "the guest was told of an I/O error; check the storage";
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    status = DiskStatus::kNoSpace;
    advice = "the guest was told that there is no space; make room where the disk is kept";
  } else if (error_number == EOPNOTSUPP || error_number == ENOSYS || error_number == ENODEV) {
    return DiskStatus::kUnsupported;
  }
  if (told_.emplace(request.disk, error_number).second) {
    const char* verb = request.operation == DiskOperation::kRead ? " cannot be read (" : " cannot be written (";
    sinks_.operator_line("disk " + disks_[request.disk]->path() + verb + reason(error_number) + "): " + advice);
  }
  return status;
}

void DiskService::complete(u64 tag, DiskStatus status) {
  std::vector<u64> next;
  door::DiskCompletionInput input;
  {
    std::lock_guard lock(mutex_);
    auto node = requests_.extract(tag);
    Request& request = node.mapped();
    input = {request.disk, request.id, status, {}};
    switch (request.operation) {
      case DiskOperation::kRead:
        ++counters_.reads;
        counters_.bytes_read += request.moved;
        if (status == DiskStatus::kOk) input.data = std::move(request.data);
        break;
      case DiskOperation::kWrite:
        ++counters_.writes;
        counters_.bytes_written += request.moved;
        break;
      case DiskOperation::kFlush: ++counters_.flushes; break;
      case DiskOperation::kDiscard:
      case DiskOperation::kWriteZeroes: ++counters_.discards; break;
    }
    counters_.errors += status != DiskStatus::kOk;
  }
  // Before anything that overlaps may start: completions of overlapping requests come in their order. A backup that
  // issues the earlier one again must not undo a later one that the guest knows to be done.
  const u32 disk = input.disk;
  sinks_.completed(std::move(input));
  {
    std::lock_guard lock(mutex_);
    order_[disk].finish(tag, next);
  }
  for (u64 tag_now_free : next) start(tag_now_free);
}

DiskCounters DiskService::counters() const {
  std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace pollux::host
