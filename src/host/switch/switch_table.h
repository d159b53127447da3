// Which port a MAC address was last heard on: what makes a hub a switch. Pure; time is a parameter.
//
// Invariants
//  1. lookup() names the port of the latest frame from the address, so that one announcement (gratuitous ARP, reverse
//     ARP) of a promoted backup moves its guest's address at once.
//  2. At most kMaxAddresses are kept; a new one replaces the one not heard for longest.
//  3. Group addresses are never learned.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "base/integers.h"
#include "host/mac.h"

namespace pollux::host::switching {

using Port = u32;

class SwitchTable {
 public:
  static constexpr std::size_t kMaxAddresses = 4096;
  static constexpr u64 kMaxAgeNs = u64{300} * 1'000'000'000;  // IEEE 802.1D: 300 seconds

  enum class Learned { kKnown, kNew, kMoved };
  Learned learn(const Mac& source, Port port, u64 now_ns);

  // Nothing when the address is unknown, too old, or a group: flood.
  std::optional<Port> lookup(const Mac& destination, u64 now_ns) const;

  // The port is gone; returns the addresses that were there.
  std::vector<Mac> forget_port(Port port);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Port port;
    u64 heard_ns;
  };
  struct Hash {
    std::size_t operator()(const Mac& mac) const;
  };
  std::unordered_map<Mac, Entry, Hash> entries_;
};

inline bool is_group(const Mac& mac) { return mac[0] & 1; }

}  // namespace pollux::host::switching
