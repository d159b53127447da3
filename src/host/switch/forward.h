// A port of the host that leads to a port of the guest behind the switch's router.
#pragma once

#include <string>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::host::switching {

struct Forward {
  enum class Protocol { kTcp, kUdp };
  Protocol protocol = Protocol::kTcp;
  std::string host_address = "127.0.0.1";  // where the host listens; 0.0.0.0: on all addresses
  u16 host_port = 0;
  std::string guest_address = "10.0.2.15";  // what the router's DHCP gives to the first guest
  u16 guest_port = 0;
};

// "tcp:HOSTPORT:GUESTPORT" or "tcp:HOSTADDRESS:HOSTPORT:GUESTPORT", or with a guest's address before its port:
// "tcp:HOSTADDRESS:HOSTPORT:GUESTADDRESS:GUESTPORT". Likewise with udp.
Result<Forward> parse_forward(const std::string& text);

// "tcp 127.0.0.1:2222"
std::string describe(const Forward& forward);

}  // namespace pollux::host::switching
