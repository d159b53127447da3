// What is in a log, by kind: `pollux log LOG` and `--dump`. Pure functions of entries.
#pragma once

#include <map>
#include <string>

#include "log/codec.h"

namespace pollux::log {

struct KindStatistics {
  u64 count = 0;
  u64 bytes = 0;  // encoded, without frame heads
  bool operator==(const KindStatistics&) const = default;
};

class Statistics {
 public:
  // bytes: what the entry takes (LogReader::entry_bytes).
  void add(const Entry& entry, u64 bytes);

  const std::map<EntryKind, KindStatistics>& by_kind() const { return by_kind_; }
  KindStatistics total() const;
  door::Position last_position() const { return last_position_; }
  // The last clock input's time: about how long the guest ran.
  door::VirtualNs last_time() const { return last_time_; }

  // A table, one line a kind, with a head and a total.
  std::string table() const;

 private:
  std::map<EntryKind, KindStatistics> by_kind_;
  door::Position last_position_;
  door::VirtualNs last_time_;
};

// One line: position, kind, and what is in it. Data is shown by length and its first bytes.
std::string describe(const Entry& entry);

}  // namespace pollux::log
