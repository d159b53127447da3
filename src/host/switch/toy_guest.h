// A guest of a few lines for tests: one address, answers ARP, opens TCP connections passively, and remembers what it
// received. Its TCP loses nothing only because its network does not. Frames go through a callback, so that the same
// state can continue behind another connection to the switch, as a promoted backup's guest does.
#pragma once

#include <functional>
#include <string>

#include "base/bytes.h"
#include "host/mac.h"

namespace pollux::host::switching {

class ToyGuest {
 public:
  using Send = std::function<void(const Bytes& frame)>;
  explicit ToyGuest(Mac mac) : mac_(mac) {}

  void ask_for_address(const Send& send);  // DHCP discover
  void ask_who_has(u32 ip, const Send& send);
  void ping(u32 ip, const Send& send, std::size_t size = 4);  // in fragments where it does not fit
  void send_fragment(u32 ip, u16 offset, bool more, std::size_t size, const Send& send);  // offset in units of eight
  void send_datagram(u32 ip, u16 port, std::string_view text, const Send& send);
  void say(std::string_view text, const Send& send);  // on the open connection
  void receive(ByteSpan frame, const Send& send);

  u32 offered_ip = 0;      // by DHCP
  u32 answered_arp = 0;    // the last address whose owner answered
  int echo_replies = 0;
  bool connected = false;  // a peer has completed the handshake
  std::string heard;       // its bytes so far
  std::string datagrams;   // what other datagrams brought

 private:
  void receive_ip(ByteSpan packet, const Send& send);
  void receive_tcp(ByteSpan packet, u32 from, ByteSpan segment, const Send& send);
  void send_tcp(u8 flags, std::string_view text, const Send& send);
  void send_ip(u32 to, u8 protocol, ByteSpan payload, const Send& send, u16 fragment = 0);
  Bytes ethernet(const Mac& to, u16 type, const Bytes& payload) const;

  Mac mac_;
  Mac router_mac_{0x52, 0x55, 10, 0, 2, 2};
  u32 ip_ = 0x0a00020f;
  u32 peer_ = 0;
  u16 peer_port_ = 0, port_ = 0;
  u32 next_to_send_ = 1000, next_to_hear_ = 0;
};

}  // namespace pollux::host::switching
