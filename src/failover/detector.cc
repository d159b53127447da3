#include "failover/detector.h"

#include <algorithm>
#include <utility>

namespace pollux::failover {

Detector::Detector(Timing timing, u64 now_ns, Mutations mutations)
    : timing_(timing), channel_ns_(now_ns), heartbeat_ns_(now_ns), tick_ns_(now_ns), mutations_(mutations) {
  if (mutations_.has(Mutation::kSuspectEarly)) timing_.timeout_ns /= 2;
}

void Detector::heard_channel(u64 now_ns) { channel_ns_ = std::max(channel_ns_, now_ns); }

void Detector::heard_heartbeat(u64 now_ns) {
  if (!mutations_.has(Mutation::kDeafToHeartbeats)) heartbeat_ns_ = std::max(heartbeat_ns_, now_ns);
}

void Detector::tick(u64 now_ns) {
  const u64 gap_ns = now_ns - std::exchange(tick_ns_, now_ns);
  if (mutations_.has(Mutation::kCountOwnPause)) return;
  const u64 pause_ns = gap_ns - std::min(gap_ns, timing_.heartbeat_ns());
  channel_ns_ = std::min(now_ns, channel_ns_ + pause_ns);
  heartbeat_ns_ = std::min(now_ns, heartbeat_ns_ + pause_ns);
}

bool Detector::suspects(u64 now_ns) const {
  if (mutations_.has(Mutation::kNeverSuspect)) return false;
  const u64 channel_silence = now_ns - std::min(now_ns, channel_ns_);
  const u64 silence = std::min(channel_silence, now_ns - std::min(now_ns, heartbeat_ns_));
  return silence > timing_.timeout_ns || channel_silence > timing_.channel_silence_ns();
}

}  // namespace pollux::failover
