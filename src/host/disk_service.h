// Serves the disk requests of one machine: checks them, keeps the order of those that overlap (R13), asks the fence
// before each write (R7), performs them on a DiskEngine, and reports exactly one completion each.
//
// What a completion promises: a read returns what the last completed write put there. A flush: every write completed
// before it was asked is on the storage. A write: with WriteBack nothing beyond that; with WriteThrough it is on the
// storage. A pair needs WriteThrough: its guest does not see its host die, so it would never write again what the
// host's page cache took along.
//
// Errors: no space, quota or file-size limit: kNoSpace; an operation that this storage cannot do: kUnsupported; a
// refused write, a request outside the disk, all else: kIoError. The first of each reason on a disk is told to the
// operator.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "door/input.h"
#include "door/output.h"
#include "host/disk_engine.h"
#include "host/disk_file.h"
#include "storage/overlap_order.h"

namespace pollux::host {

enum class WritePolicy { kWriteBack, kWriteThrough };
enum class EngineChoice { kBest, kThreads };

struct DiskCounters {
  u64 reads = 0, writes = 0, flushes = 0, discards = 0;  // completed, whatever their status
  u64 bytes_read = 0, bytes_written = 0;
  u64 errors = 0;
  u64 refused = 0;  // by the fence; also in errors
};

class DiskService {
 public:
  struct Sinks {
    std::function<void(door::DiskCompletionInput)> completed;  // from any thread
    std::function<void(const std::string&)> operator_line;     // from any thread
  };

  DiskService(std::vector<std::shared_ptr<DiskFile>> disks, WritePolicy policy, EngineChoice choice, Sinks sinks);
  ~DiskService();  // waits for what is in flight

  // Thread-safe; does not wait. request.disk must be one of the disks.
  void submit(const door::DiskOutput& request);

  const char* engine_name() const { return engine_->name(); }
  Source* source() { return engine_->source(); }
  DiskCounters counters() const;

 private:
  struct Request {
    u32 disk;
    u64 id;
    door::DiskOperation operation;
    u64 offset;
    u64 length;
    Bytes data;
    u64 moved = 0;        // bytes read or written so far
    StepKind step = StepKind::kRead;  // the step in flight
    door::DiskStatus status = door::DiskStatus::kOk;  // refused before it started
  };

  bool valid(const Request& request) const;
  void start(u64 tag);
  void step_done(u64 tag, i64 result);
  bool next_step(Request& request, i64 result, door::DiskStatus& status);
  Step step_for(u64 tag, Request& request) const;
  door::DiskStatus status_of(const Request& request, int error_number);
  void complete(u64 tag, door::DiskStatus status);

  std::vector<std::shared_ptr<DiskFile>> disks_;
  WritePolicy policy_;
  Sinks sinks_;
  mutable std::mutex mutex_;
  std::unordered_map<u64, Request> requests_;  // by tag; a node stays where it is while its step is in flight
  std::vector<storage::OverlapOrder> order_;   // one a disk
  std::set<std::pair<u32, int>> told_;         // (disk, errno) that the operator knows
  u64 next_tag_ = 1;
  DiskCounters counters_;
  std::unique_ptr<DiskEngine> engine_;  // last: goes first
};

}  // namespace pollux::host
