// IP fragments of guests, put together before the router sees them: libslirp's own reassembly destroys its memory when
// fragments overlap or come too long, and any guest can send such ones.
//
// Invariants
//  1. What leaves is a frame without IPv4 inside, or one IPv4 datagram that is whole and whose lengths fit: its
//     own in its frame, and those that TCP, UDP and ICMP state in it.
//  2. Only fragments that continue where the last one ended are taken (a cable keeps their order); others end the
//     datagram.
//  3. At most kMaxDatagrams are unfinished; a new one replaces the oldest.
//
// Pure. RFC 791, sections 3.1 and 3.2; RFC 768, 792, 9293.
#pragma once

#include <array>
#include <deque>

#include "base/bytes.h"
#include "base/integers.h"

namespace pollux::host::switching {

class Reassembly {
 public:
  static constexpr std::size_t kMaxDatagrams = 64;

  // The frame to hand on, valid until the next call; empty: none (yet).
  ByteSpan whole(ByteSpan frame);

  std::size_t unfinished() const { return datagrams_.size(); }

 private:
  using Key = std::array<std::byte, 11>;  // addresses, identification, protocol
  struct Datagram {
    Key key;
    Bytes frame;  // the first fragment's headers, then the data so far
  };

  ByteSpan take(ByteSpan frame, std::size_t size_bytes);

  std::deque<Datagram> datagrams_;
  Bytes whole_;
};

}  // namespace pollux::host::switching
