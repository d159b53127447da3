// The backup's half of a simulated pair: the real replay, the real decisions and, after promotion, the real live
// session, with simulated effects. What driver/backup_session does with sockets and threads.
#pragma once

#include <deque>

#include "failover/backup.h"
#include "session/entry_source.h"
#include "session/replay_session.h"
#include "sim/primary_side.h"

namespace pollux::sim {

class BackupSide final : public session::EntrySource, public session::Journal {
 public:
  explicit BackupSide(SideParts parts);

  // The process, in its host's fiber. Returns when it ends.
  Ended run();

  Result<session::Next> next() override;  // for the replay

  // For the life after promotion.
  Result<void> append(const log::Entry&) override { return alive(); }
  Result<void> emit(door::OutputAt output) override;
  Result<bool> poll(door::Position) override;
  Result<void> close(door::Position position, u64 digest) override;

  const failover::Backup& decisions() const { return backup_; }

 private:
  Host& host() { return parts_.shared.host(Side::kB); }
  u64 now() { return host().clock_ns(); }
  void perform();
  void tick();
  void beat();
  Result<void> alive();
  void follow(session::ReplaySession& replay);
  Ended live(machine::Machine& machine, const session::ReplaySession& replay);

  SideParts parts_;
  SideFence fence_;
  SimWorld world_;
  failover::driver::FencedWorld fenced_;
  failover::Backup backup_;
  std::deque<log::Entry> entries_;
  std::optional<Error> halted_;
  std::optional<failover::GoLive> go_live_;
  bool stopped_ = false;
};

}  // namespace pollux::sim
