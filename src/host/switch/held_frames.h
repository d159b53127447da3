// Frames for a guest whose port has just gone, kept until its address is heard on another port. A primary that dies
// leaves a gap until its backup announces itself; what its peers send meanwhile would be lost, and TCP would wait a
// retransmission timeout (200 ms and more) after the promotion. Held frames are delivered with the announcement.
//
// Bounded by frames an address, by addresses, and by time. Pure; time is a parameter.
#pragma once

#include <map>
#include <vector>

#include "base/bytes.h"
#include "host/mac.h"

namespace pollux::host::switching {

class HeldFrames {
 public:
  static constexpr std::size_t kMaxFrames = 256;  // for one address; the oldest go first
  static constexpr std::size_t kMaxAddresses = 64;
  static constexpr u64 kMaxAgeNs = u64{5} * 1'000'000'000;

  // The address lost its port: frames for it are held from now on.
  void expect(const Mac& mac, u64 now_ns);
  // True: the frame was kept. False: its address is not expected, or not any more.
  bool hold(const Mac& destination, ByteSpan frame, u64 now_ns);
  // The address was heard again: what was kept for it, in order.
  std::vector<Bytes> release(const Mac& mac, u64 now_ns);

 private:
  struct Waiting {
    u64 since_ns;
    std::vector<Bytes> frames;
  };
  std::map<Mac, Waiting> waiting_;
};

}  // namespace pollux::host::switching
