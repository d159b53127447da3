// The primary's half of a simulated pair: the real session and the real decisions, with simulated effects. What
// driver/primary_journal does with sockets and threads, this does with posted events.
#pragma once

#include "failover/driver/fenced_world.h"
#include "failover/primary.h"
#include "session/journal.h"
#include "sim/sim_world.h"

namespace pollux::sim {

// What both halves are made of.
struct SideParts {
  Shared& shared;
  Network& network;
  SharedStorage& storage;
  failover::Mutations mutations;
  Bytes configuration;  // the machine's; empty for the backup, which is told
  u64 ns_per_position = 100;
  u64 buffer_bytes = 4 << 20;
};

class PrimarySide final : public session::Journal {
 public:
  explicit PrimarySide(SideParts parts);

  // The process, in its host's fiber. Returns when it ends.
  Ended run();

  Result<void> append(const log::Entry& entry) override;
  Result<void> emit(door::OutputAt output) override;
  Result<bool> poll(door::Position position) override;
  Result<void> close(door::Position position, u64 digest) override;

  const failover::Primary& decisions() const { return primary_; }

 private:
  Host& host() { return parts_.shared.host(Side::kA); }
  u64 now() { return host().clock_ns(); }
  void perform();
  void tick();
  void beat();
  Result<void> alive();

  SideParts parts_;
  SideFence fence_;
  SimWorld world_;
  failover::driver::FencedWorld fenced_;
  failover::Primary primary_;
  door::Position position_;
  std::optional<Error> halted_;
  bool stopped_ = false;
  bool told_alone_ = false;
};

}  // namespace pollux::sim
