// What a backup makes up for when it becomes the primary (R6), as far as the protocol knows it: outputs that the old
// primary may not have sent, and the announcement of a card's address. Disk requests that were issued and not
// completed are the session's (session/outstanding_disk.h); storage keeps overlapping ones in order (R13).
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "door/output.h"

namespace pollux::failover {

// The last outputs other than disk requests that a replaying machine made and that the primary has not said to have
// sent. Sent again they are duplicates at worst, as a network makes them too; not sent they might be lost for ever
// where nobody repeats (a console), and cost a retransmission elsewhere.
class UnsureOutputs {
 public:
  explicit UnsureOutputs(u64 limit_bytes) : limit_bytes_(limit_bytes) {}

  void made(const door::OutputAt& output);
  void released(door::Position up_to);
  std::vector<door::OutputAt> take();

  u64 bytes() const { return bytes_; }

 private:
  u64 limit_bytes_;  // beyond it the oldest are forgotten: the network lost them
  u64 bytes_ = 0;
  std::deque<door::OutputAt> outputs_;
};

using MacAddress = std::array<u8, 6>;

// A frame after which every switch between here and there sends the card's packets here: a reverse ARP request
// (RFC 903) for its own address, broadcast. It says nothing about IP, which a host does not know of its guest.
Bytes announcement(const MacAddress& mac);

}  // namespace pollux::failover
