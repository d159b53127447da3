// What the two sides of a pair say to each other. The encoding is in failover/wire.h; docs/protocol/failover.md says
// when each is sent. Messages travel in order over the channel; heartbeats travel beside it and may be lost.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "failover/generation.h"
#include "log/entry.h"

namespace pollux::failover {

inline constexpr u32 kProtocolVersion = 1;

// A disk as both sides must see it. identity: storage::Disk::identity(), equal wherever the disk is seen from.
struct DiskIdentity {
  u64 size_bytes = 0;
  bool read_only = false;
  u64 identity = 0;
  bool operator==(const DiskIdentity&) const = default;
};

// ---- primary to backup

struct Hello {
  u32 protocol = kProtocolVersion;
  std::string version;  // of the program: two builds of different versions may execute differently
  std::string pair;
  std::string name;  // of the primary, for people
  Generation generation;
  u64 timeout_ns = 0;  // both sides derive all times from the primary's
  Bytes configuration;
  std::vector<DiskIdentity> disks;
  bool operator==(const Hello&) const = default;
};

// Entries number first and following of the log, counted from 0. sent_ns is the primary's clock. Every output at a
// position not above released has left the primary.
struct Log {
  u64 first = 0;
  u64 sent_ns = 0;
  door::Position released;
  std::vector<log::Entry> entries;
  bool operator==(const Log&) const = default;
};

// Nothing new, still here.
struct KeepAlive {
  u64 sent_ns = 0;
  door::Position released;
  bool operator==(const KeepAlive&) const = default;
};

// The backup is let go: the primary owns the next generation already.
struct Dropped {
  std::string sentence;
  bool operator==(const Dropped&) const = default;
};

// ---- backup to primary

struct Welcome {
  std::string name;
  u64 buffer_bytes = 0;  // the primary keeps what is not consumed below this
  bool operator==(const Welcome&) const = default;
};

struct Refused {
  std::string sentence;
  bool operator==(const Refused&) const = default;
};

// received: entries in the buffer or consumed, counted from the start. echo_ns: sent_ns of the newest message received.
struct Ack {
  u64 received = 0;
  u64 consumed = 0;
  u64 consumed_bytes = 0;    // sum of footprint() of the consumed entries
  u64 behind_ns = 0;         // sent_ns of the oldest message with an entry that is not consumed; 0: there is none
  u64 echo_ns = 0;
  bool operator==(const Ack&) const = default;
};

// The backup ends by itself and claims nothing. diverged: its copy differs from the primary's.
struct Leaving {
  bool diverged = false;
  std::string sentence;
  bool operator==(const Leaving&) const = default;
};

using Message = std::variant<Hello, Log, KeepAlive, Dropped, Welcome, Refused, Ack, Leaving>;

const char* name(const Message& message);

// ---- beside the channel, both ways

struct Heartbeat {
  Generation generation;
  bool from_primary = false;
  u64 sent_ns = 0;  // the sender's clock; rises with every heartbeat, so that an old one is known
  u64 echo_ns = 0;  // sent_ns of the newest heartbeat received from the other side
  bool operator==(const Heartbeat&) const = default;
};

// What an entry takes in a buffer; both sides count the same.
u64 footprint(const log::Entry& entry);

}  // namespace pollux::failover
