// The backup's decisions as a step function: events go in, obligations come out (obligations.h). It feeds a replay with
// entries and decides when the replay's end is the beginning of a life of its own.
//
//   kWaiting ──hello──▶ kFollowing ──primary lost──▶ kDraining ──all consumed──▶ kArbitrating ──won──▶ kFencing ──▶ kLive
//                          │end consumed                │end consumed                 │lost
//                          ▼                            ▼                             ▼
//                       kStopped                     kStopped                      kHalted
//
// Used by driver/backup_session and by the simulation.
//
// Invariants
//  1. An entry is acknowledged when it is in the buffer, in the obligations that also hand it to the replay.
//  2. The replay may run to reached() and no further (R3).
//  3. Nothing of what the replayed machine makes reaches the world before go_live (R4).
//  4. go_live comes after everything received was consumed, the arbiter was won and the fence raised, in this order
//     (R6); after an End it never comes (R10).
// Specified by docs/protocol/failover.md.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "failover/arbiter.h"
#include "failover/detector.h"
#include "failover/mutations.h"
#include "failover/obligations.h"
#include "failover/promotion.h"

namespace pollux::failover {

struct BackupSettings {
  std::string pair;  // the machine's name; empty: whichever comes
  std::string name;
  std::string version;
  std::vector<DiskIdentity> disks;
  u64 buffer_bytes = 64 << 20;        // told to the primary, which keeps below it
  u64 unsure_limit_bytes = 1 << 20;   // outputs kept to be sent again
};

class Backup {
 public:
  enum class State : u8 { kWaiting, kFollowing, kDraining, kArbitrating, kFencing, kLive, kStopped, kHalted };

  // A primary has connected; its hello is awaited.
  Backup(BackupSettings settings, u64 now_ns, Mutations mutations = {});

  // From the primary.
  void received(const Message& message, u64 now_ns);
  void heard(const Heartbeat& heartbeat, u64 now_ns);
  void channel_closed(std::string_view why, u64 now_ns);

  // From the replay.
  void ready(u64 now_ns);                                // the machine of take_configuration() is made
  void consumed(const log::Entry& entry, u64 now_ns);    // the entry took effect
  void made(const door::OutputAt& output, u64 now_ns);   // to be dropped, or to be sent again later
  void diverged(std::string sentence, u64 now_ns);
  void failed(Error error, u64 now_ns);                  // the machine could not be made, or the operator ends this side

  // From storage.
  void arbiter_answered(Generation generation, ArbiterAnswer answer, u64 now_ns);
  void fence_answered(Generation generation, FenceAnswer answer, u64 now_ns);

  // Every tick_ns().
  void tick(u64 now_ns);

  Obligations take();

  // Once hello was accepted (state kFollowing and later).
  const Hello& hello() const { return hello_; }
  // Hello's, once: it is as long as a kernel.
  Bytes take_configuration() { return std::exchange(hello_.configuration, {}); }
  bool accepted() const { return accepted_; }

  // The last position that the primary is known to have reached.
  door::Position reached() const;

  State state() const { return state_; }
  Generation generation() const { return generation_; }
  Timing timing() const { return timing_; }
  // What to send beside the channel every heartbeat_ns(), if anything.
  std::optional<Heartbeat> heartbeat(u64 now_ns) const;
  u64 buffered_bytes() const { return received_bytes_ - consumed_bytes_; }
  u64 received_entries() const { return received_; }
  u64 consumed_entries() const { return consumed_; }

 private:
  void on(const Hello& message, u64 now_ns);
  void on(const Log& message, u64 now_ns);
  void on(const KeepAlive& message, u64 now_ns);
  void on(const Dropped& message, u64 now_ns);

  std::string refusal(const Hello& hello) const;  // empty: accepted
  void acknowledge(u64 now_ns);
  void lost(std::string why, u64 now_ns);
  void check_drained(u64 now_ns);
  void go_live();
  void halt(ErrorKind kind, std::string sentence);
  void leave(bool diverged, std::string sentence);
  void say(EventKind kind, std::string sentence);

  BackupSettings settings_;
  Mutations mutations_;
  State state_ = State::kWaiting;
  Obligations out_;
  Hello hello_;
  bool accepted_ = false;
  Generation generation_;
  Timing timing_;

  u64 received_ = 0;
  u64 received_bytes_ = 0;
  u64 consumed_ = 0;
  u64 consumed_bytes_ = 0;
  u64 told_bytes_ = 0;  // consumed_bytes_ in the last acknowledgement
  u64 acknowledged_ns_ = 0;  // when the channel last spoke
  u64 echo_ns_ = 0;
  u64 peer_beat_ns_ = 0;
  door::Position last_position_;
  struct Sent {
    u64 last;     // entries up to this one
    u64 sent_ns;  // came with this message
  };
  std::deque<Sent> sent_;

  UnsureOutputs unsure_;
  Detector detector_;
  u64 retry_ns_ = 0;
  bool unreachable_said_ = false;
};

const char* name(Backup::State state);

}  // namespace pollux::failover
