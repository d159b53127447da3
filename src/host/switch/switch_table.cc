#include "host/switch/switch_table.h"

#include <algorithm>

#include "base/checksum.h"

namespace pollux::host::switching {

std::size_t SwitchTable::Hash::operator()(const Mac& mac) const { return checksum(std::as_bytes(std::span(mac))); }

SwitchTable::Learned SwitchTable::learn(const Mac& source, Port port, u64 now_ns) {
  if (is_group(source)) return Learned::kKnown;
  if (const auto known = entries_.find(source); known != entries_.end()) {
    const bool moved = known->second.port != port;
    known->second = {port, now_ns};
    return moved ? Learned::kMoved : Learned::kKnown;
  }
  if (entries_.size() == kMaxAddresses) {
    entries_.erase(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.heard_ns; }));
  }
  entries_.emplace(source, Entry{port, now_ns});
  return Learned::kNew;
}

std::optional<Port> SwitchTable::lookup(const Mac& destination, u64 now_ns) const {
  const auto known = entries_.find(destination);
  if (known == entries_.end() || now_ns - known->second.heard_ns > kMaxAgeNs) return std::nullopt;
  return known->second.port;
}

std::vector<Mac> SwitchTable::forget_port(Port port) {
  std::vector<Mac> gone;
  std::erase_if(entries_, [&](const auto& entry) {
    if (entry.second.port != port) return false;
    gone.push_back(entry.first);
    return true;
  });
  return gone;
}

}  // namespace pollux::host::switching
