#include "failover/detector.h"

#include <algorithm>

namespace pollux::failover {

Detector::Detector(Timing timing, u64 now_ns)
    : timing_(timing), channel_ns_(now_ns), heartbeat_ns_(now_ns), tick_ns_(now_ns) {}

void Detector::heard_channel(u64 now_ns) { channel_ns_ = std::max(channel_ns_, now_ns); }
void Detector::heard_heartbeat(u64 now_ns) { heartbeat_ns_ = std::max(heartbeat_ns_, now_ns); }

void Detector::tick(u64 now_ns) {
  const u64 gap = now_ns - tick_ns_;
  if (gap > timing_.timeout_ns / 2) {
    channel_ns_ = std::min(now_ns, channel_ns_ + gap);
    heartbeat_ns_ = std::min(now_ns, heartbeat_ns_ + gap);
  }
  tick_ns_ = now_ns;
}

bool Detector::suspects(u64 now_ns) const {
  const u64 channel_silence = now_ns - std::min(now_ns, channel_ns_);
  const u64 silence = std::min(channel_silence, now_ns - std::min(now_ns, heartbeat_ns_));
  return silence > timing_.timeout_ns || channel_silence > timing_.channel_silence_ns();
}

}  // namespace pollux::failover
