#include "host/switch/held_frames.h"

#include <algorithm>

namespace pollux::host::switching {

void HeldFrames::expect(const Mac& mac, u64 now_ns) {
  std::erase_if(waiting_, [&](const auto& entry) { return now_ns - entry.second.since_ns > kMaxAgeNs; });
  if (waiting_.size() < kMaxAddresses) waiting_.try_emplace(mac, Waiting{now_ns, {}});
}

bool HeldFrames::hold(const Mac& destination, ByteSpan frame, u64 now_ns) {
  const auto found = waiting_.find(destination);
  if (found == waiting_.end()) return false;
  if (now_ns - found->second.since_ns > kMaxAgeNs) {
    waiting_.erase(found);
    return false;
  }
  std::vector<Bytes>& frames = found->second.frames;
  if (frames.size() == kMaxFrames) frames.erase(frames.begin());
  frames.emplace_back(frame.begin(), frame.end());
  return true;
}

std::vector<Bytes> HeldFrames::release(const Mac& mac, u64 now_ns) {
  auto node = waiting_.extract(mac);
  if (!node || now_ns - node.mapped().since_ns > kMaxAgeNs) return {};
  return std::move(node.mapped().frames);
}

}  // namespace pollux::host::switching
