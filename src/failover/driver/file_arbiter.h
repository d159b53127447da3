// The arbiter as files in a directory on storage that both hosts share. Made for people to read:
//
//   NAME.generation.7     who won generation 7 (one line: the claimant, then when); made whole by link(), which of two
//                         claims lets exactly one succeed, and never changed
//   NAME.members          locked by whoever runs or follows the machine, so that it is not started a second time
//   NAME.fence            see file_fence.h
//
// A claim is written to a file of its own, made durable, and linked to the generation's name. link() is atomic on local
// file systems and on NFS; where its answer is lost, reading the file tells who won.
// Keeps the invariants of failover/arbiter.h. Thread-safe. May take as long as the storage takes.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "failover/arbiter.h"
#include "failover/driver/descriptor.h"

namespace pollux::failover::driver {

class FileArbiter final : public Arbiter {
 public:
  // Fails when the directory is missing or cannot be written.
  static Result<std::unique_ptr<FileArbiter>> open(const std::string& directory, const std::string& machine);

  // For a machine that is powered on: nobody else may run or follow it; wins the next generation.
  Result<Generation> begin(std::string_view claimant);
  // For a backup that begins to follow. Both hold on until this object goes.
  Result<void> join();

  ArbiterAnswer claim(Generation generation, std::string_view claimant) override;

  // The highest generation that was won; 0: none.
  Result<Generation> newest() const;
  // Who won it, as the file says; empty: nobody.
  std::string winner(Generation generation) const;

  int directory() const { return directory_.get(); }
  const std::string& machine() const { return machine_; }

 private:
  FileArbiter(Descriptor directory, std::string shown, std::string machine)
      : directory_(std::move(directory)), shown_(std::move(shown)), machine_(std::move(machine)) {}
  std::string file(Generation generation) const;
  Result<void> lock_members(short type);

  Descriptor directory_;
  std::string shown_;
  std::string machine_;
  Descriptor members_;
};

// "host alpha, process 4711, started 2026-01-31 12:00:00 UTC, 5f3a09c2": never the same for two runs.
std::string make_claimant();

}  // namespace pollux::failover::driver
