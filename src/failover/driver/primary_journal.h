// The journal of a protected machine: entries go to the backup before the machine is told (R1), outputs wait at the gate
// until the backup has acknowledged them (R2), and when the backup is lost, until the arbiter is won (R5).
//
//   auto journal = PrimaryJournal::create(options, world);     // connects, is welcomed, owns a generation
//   session::LiveSession session(machine, (*journal)->world(), **journal, (*journal)->tune(live_options));
//   session.power_on(); session.run();
//
// The decisions are failover/primary.h's; here are their effects. Entries are encoded and sent on the session's thread;
// acknowledgements arrive on the link's thread, which also opens the gate: an output leaves while the guest is busy.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>

#include "failover/driver/fenced_world.h"
#include "failover/driver/file_arbiter.h"
#include "failover/driver/file_fence.h"
#include "failover/driver/link.h"
#include "failover/driver/storage_worker.h"
#include "failover/primary.h"
#include "session/journal.h"
#include "session/live_session.h"

namespace pollux::failover::driver {

struct PrimaryOptions {
  std::string machine;      // its name
  std::string host;         // this host's name, for people
  std::string version;
  std::string backup;       // HOST:PORT
  Security security;
  std::string arbiter_dir;
  Timing timing;
  LagPolicy lag;
  Bytes configuration;
  std::vector<DiskIdentity> disks;
  int connect_timeout_ms = 5000;
  // Told under the journal's lock; must not call back.
  std::function<void(const Event&)> on_event;
};

class PrimaryJournal final : public session::Journal {
 public:
  // Returns when the backup has a machine of its own and waits for the log. world outlives the journal.
  static Result<std::unique_ptr<PrimaryJournal>> create(PrimaryOptions options, world::World& world);
  ~PrimaryJournal() override;

  // The world for the session: behind the gate and the fence.
  world::World& world() { return fenced_; }
  session::LiveOptions tune(session::LiveOptions options) const;

  Result<void> append(const log::Entry& entry) override;
  Result<void> emit(door::OutputAt output) override;
  Result<bool> poll(door::Position position) override;
  Result<void> close(door::Position position, u64 digest) override;

  // Whether this side halted because the other one lives.
  bool lost_arbitration() const;
  // "failover.entries", "failover.outputs_held", "failover.lag_ns", ...: for the report.
  std::vector<std::pair<std::string, u64>> counters() const;
  Primary::State state() const;

 private:
  PrimaryJournal(PrimaryOptions options, world::World& world, std::unique_ptr<FileArbiter> arbiter,
                 std::unique_ptr<FileFence> fence, Generation generation, std::string claimant);
  Result<void> connect();
  Link::Events events();
  u64 now() { return inner_.now_ns(); }

  // All under lock_.
  void perform();
  void obey_storage(const Obligations& out);
  Result<void> alive() const;

  PrimaryOptions options_;
  world::World& inner_;
  std::unique_ptr<FileArbiter> arbiter_;
  std::unique_ptr<FileFence> fence_;
  std::string claimant_;
  FencedWorld fenced_;

  mutable std::mutex lock_;
  std::condition_variable changed_;
  Primary primary_;
  std::optional<Error> halted_;
  bool stopped_ = false;
  bool held_ = false;
  bool lost_arbitration_ = false;
  u64 channel_bytes_ = 0;
  std::atomic<bool> fenced_off_ = false;
  std::unique_ptr<Link> link_;
  StorageWorker worker_;  // last: its tasks use the rest
};

}  // namespace pollux::failover::driver
