#include "failover/gate.h"

#include "base/check.h"

namespace pollux::failover {

u64 footprint(const door::Output& output) {
  u64 bytes = sizeof(door::OutputAt);
  if (const auto* packet = std::get_if<door::PacketOutput>(&output)) bytes += packet->frame.size();
  if (const auto* disk = std::get_if<door::DiskOutput>(&output)) bytes += disk->data.size();
  if (const auto* console = std::get_if<door::ConsoleOutput>(&output)) bytes += console->bytes.size();
  return bytes;
}

void Gate::hold(door::OutputAt output, u64 needs) {
  POLLUX_CHECK(held_.empty() || (held_.back().needs <= needs && held_.back().output.position <= output.position),
               "outputs come in the order of their positions");
  held_bytes_ += footprint(output.output);
  held_.push_back({std::move(output), needs});
}

std::vector<door::OutputAt> Gate::open(u64 acknowledged) {
  std::vector<door::OutputAt> leaving;
  while (!held_.empty() && held_.front().needs <= acknowledged) {
    held_bytes_ -= footprint(held_.front().output.output);
    leaving.push_back(std::move(held_.front().output));
    held_.pop_front();
  }
  return leaving;
}

std::vector<door::OutputAt> Gate::open_all() { return open(~u64{0}); }

}  // namespace pollux::failover
