// The primary's decisions as a step function: events go in, obligations come out (obligations.h). It knows entries and
// outputs but not the machine, and no clock: every event brings the time.
//
//   kOpening ──welcome──▶ kProtected ──lost, dropped──▶ kArbitrating ──won──▶ kFencing ──raised──▶ kUnprotected
//      │refused                │closing                      │lost                │fenced                │closing
//      ▼                       ▼                             ▼                    ▼                      ▼
//   kHalted                 kClosing ──all acked──▶ kClosed  kHalted            kHalted                kClosed
//
// Used by the session through driver/primary_journal and by the simulation.
//
// Invariants
//  1. Every entry is in an obligation to send before appended() returns its turn to the caller (R1 with the session's
//     order of calls); they are numbered without gaps.
//  2. While protected, an output leaves only if the acknowledged log holds an entry, appended not before the output's
//     inputs, at the output's position or later (R2), and the newest acknowledged message is younger than the lease.
//  3. Between the loss of the backup and a won arbitration nothing leaves (R5).
//  4. What the backup holds unconsumed stays below its buffer, but for what one slice appends (R9).
// Specified by docs/protocol/failover.md.
#pragma once

#include <string>

#include "failover/arbiter.h"
#include "failover/detector.h"
#include "failover/gate.h"
#include "failover/lag.h"
#include "failover/mutations.h"
#include "failover/obligations.h"

namespace pollux::failover {

struct PrimarySettings {
  std::string pair;
  std::string name;
  std::string version;
  Generation generation;  // won before the machine starts
  Timing timing;
  LagPolicy lag;
  Bytes configuration;
  std::vector<DiskIdentity> disks;
  u64 held_limit_bytes = 64 << 20;  // outputs waiting at the gate beyond this hold the machine
};

class Primary {
 public:
  enum class State : u8 { kOpening, kProtected, kArbitrating, kFencing, kUnprotected, kClosing, kClosed, kHalted };

  // The channel is open; the first obligation is to say hello.
  Primary(PrimarySettings settings, u64 now_ns, Mutations mutations = {});

  // From the session.
  void appended(const log::Entry& entry, u64 now_ns);     // before the machine is told
  void made(door::OutputAt output, u64 now_ns);           // the machine made an output
  void progressed(door::Position position, u64 now_ns);   // once a slice and around waits
  void closing(door::Position position, u64 digest, u64 now_ns);  // the machine ended in order

  // From the other side.
  void received(const Message& message, u64 now_ns);
  void heard(const Heartbeat& heartbeat, u64 now_ns);
  void channel_closed(std::string_view why, u64 now_ns);

  // From storage.
  void arbiter_answered(Generation generation, ArbiterAnswer answer, u64 now_ns);
  void fence_answered(Generation generation, FenceAnswer answer, u64 now_ns);

  // Every tick_ns().
  void tick(u64 now_ns);

  Obligations take();

  // Whether the machine must stand still now; asked once a slice.
  bool holds_machine() const;
  // How long the machine should rest now, so that a slow backup can follow (R9). Short.
  u64 pause_ns(u64 now_ns) const { return state_ == State::kProtected ? speed_.pause_ns(now_ns) : 0; }
  // Whether entries and outputs still pass through here at all (false: alone, nothing is logged).
  bool logging() const { return state_ == State::kProtected || state_ == State::kClosing; }

  State state() const { return state_; }
  Generation generation() const { return settings_.generation; }
  // What to send beside the channel every heartbeat_ns(), if anything.
  std::optional<Heartbeat> heartbeat(u64 now_ns) const;
  Timing timing() const { return settings_.timing; }

  struct Counters {
    u64 entries = 0;
    u64 outputs_held = 0;     // that ever waited
    u64 held_now = 0;
    u64 stalls = 0;           // times the backup's buffer was full
    u64 slowed = 0;           // times the speed was lowered
    u64 lag_ns = 0;
    double speed = 1;
  };
  Counters counters(u64 now_ns) const;

 private:
  void push(const log::Entry& entry, u64 now_ns);
  void flush(u64 now_ns);
  void open_gate(u64 now_ns);
  void release(std::vector<door::OutputAt> outputs);
  door::Position released() const;
  void check_lag(u64 now_ns);
  void lost(std::string why, u64 now_ns);
  void ask(u64 now_ns);
  void raise(u64 now_ns);
  void go_alone(u64 now_ns);
  void halt(ErrorKind kind, std::string sentence);
  void say(EventKind kind, std::string sentence);
  bool buffer_full() const;

  void on(const Welcome& message, u64 now_ns);
  void on(const Refused& message, u64 now_ns);
  void on(const Ack& message, u64 now_ns);
  void on(const Leaving& message, u64 now_ns);

  PrimarySettings settings_;
  Mutations mutations_;
  State state_ = State::kOpening;
  Obligations out_;
  std::string backup_name_ = "the backup";

  // The log so far.
  Log pending_;             // not yet handed to the channel
  u64 appended_ = 0;        // entries
  u64 appended_bytes_ = 0;  // their footprints
  door::Position last_position_;
  u64 last_entry_ns_ = 0;
  u64 last_sent_ns_ = 0;
  door::Position position_;
  door::Position released_;

  // What the backup said.
  u64 acknowledged_ = 0;
  u64 consumed_bytes_ = 0;
  u64 buffer_bytes_ = 0;
  u64 echo_ns_ = 0;
  u64 peer_beat_ns_ = 0;
  LagMeter lag_;

  Gate gate_;
  Detector detector_;
  SpeedController speed_;
  u64 opened_ns_;
  u64 retry_ns_ = 0;        // when to ask storage again; 0: an answer is awaited
  bool closing_ = false;    // the machine ended: what is left is to make its outputs safe
  bool dropping_ = false;
  bool full_ = false;
  bool unreachable_said_ = false;
  std::optional<log::Entry> late_;  // by mutation only
  u64 outputs_held_ = 0;
  u64 stalls_ = 0;
  u64 slowed_ = 0;
};

const char* name(Primary::State state);

}  // namespace pollux::failover
