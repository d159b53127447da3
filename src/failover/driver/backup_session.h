// The other half of a pair: waits for a primary, follows its log and, when the primary is lost, runs the machine on.
//
//   auto backup = BackupSession::create(options, world);    // listens
//   session::RunReport report = (*backup)->run();            // until the machine ends, here or there
//
// world is quiet until options.take_over() is called, which happens at promotion: it acquires the disks and lets packets
// in. The decisions are failover/backup.h's; here are their effects. The caller's thread replays and later lives; the
// link's thread acknowledges, so that an entry is acknowledged when it arrives, however busy the replay is.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "failover/backup.h"
#include "failover/driver/fenced_world.h"
#include "failover/driver/file_arbiter.h"
#include "failover/driver/file_fence.h"
#include "failover/driver/link.h"
#include "failover/driver/storage_worker.h"
#include "machine/machine.h"
#include "session/entry_source.h"
#include "session/journal.h"
#include "session/live_session.h"
#include "session/replay_session.h"

namespace pollux::failover::driver {

struct BackupOptions {
  std::string host;       // this host's name, for people
  std::string version;
  std::string listen;     // HOST:PORT
  Security security;
  std::string arbiter_dir;
  std::vector<DiskIdentity> disks;
  u64 buffer_bytes = 64 << 20;
  session::LiveOptions live;            // for the life after promotion
  machine::MachineFactory* factory = nullptr;
  // The addresses of the machine's cards; with an error for a configuration that this host cannot serve.
  std::function<Result<std::vector<MacAddress>>(ByteSpan configuration)> cards;
  std::function<Result<void>()> take_over;
  // Told under the session's lock; must not call back.
  std::function<void(const Event&)> on_event;
};

class BackupSession final : private session::EntrySource, private session::Journal {
 public:
  static Result<std::unique_ptr<BackupSession>> create(BackupOptions options, world::World& world);
  ~BackupSession() override;

  // The report is the replay's when the machine ended on the primary, the life's after a promotion. A StopInput from the
  // world ends either.
  session::RunReport run();

  u16 port() const { return port_; }
  bool promoted() const;
  bool lost_arbitration() const;
  std::vector<std::pair<std::string, u64>> counters() const;

 private:
  BackupSession(BackupOptions options, world::World& world, Address address, TlsContext tls);

  Result<void> listen(const Address& address);
  // Waiting for a primary. False: the operator ended it.
  bool await_primary();
  void take_connection();
  bool operator_stops(u64 deadline_ns);
  Result<std::unique_ptr<machine::Machine>> make_machine();
  Link::Events events();
  void end_link();

  session::RunReport follow(machine::Machine& machine);
  session::RunReport live(machine::Machine& machine, const session::ReplaySession& replay);

  Result<session::Next> next() override;                            // for the replay
  Result<void> append(const log::Entry&) override;                  // for the life
  Result<void> emit(door::OutputAt output) override;
  Result<bool> poll(door::Position) override;
  Result<void> close(door::Position, u64) override;
  Result<void> alive() const;

  u64 now() { return inner_.now_ns(); }
  // All under lock_.
  void perform();
  void obey_storage(const Obligations& out);
  void tell(EventKind kind, std::string sentence);

  BackupOptions options_;
  world::World& inner_;
  Address address_;
  TlsContext tls_;
  Descriptor listener_;
  u16 port_ = 0;
  std::string claimant_;
  std::vector<MacAddress> cards_;

  mutable std::mutex lock_;
  std::unique_ptr<Backup> backup_;   // one for each primary that connects
  std::unique_ptr<FileArbiter> arbiter_;
  std::unique_ptr<FileFence> fence_;
  std::unique_ptr<FencedWorld> fenced_;
  std::deque<log::Entry> entries_;
  std::optional<Error> halted_;
  std::optional<GoLive> go_live_;
  bool known_accepted_ = false;
  bool stopped_ = false;
  bool promoted_ = false;
  bool lost_arbitration_ = false;
  std::atomic<bool> fenced_off_ = false;
  std::unique_ptr<Link> link_;
  std::unique_ptr<StorageWorker> worker_;
};

}  // namespace pollux::failover::driver
