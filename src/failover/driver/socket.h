// TCP and UDP sockets for a pair, as descriptors that do not block; every failure is one sentence.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "base/integers.h"
#include "base/result.h"
#include "failover/driver/descriptor.h"

namespace pollux::failover::driver {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// "HOST:PORT", "[::1]:PORT" or ":PORT" (every local address, for listening).
Result<Address> resolve(const std::string& host_port);

Result<Descriptor> listen_tcp(const Address& address, const std::string& shown);
// Waits up to timeout_ms.
Result<Descriptor> connect_tcp(const Address& address, const std::string& shown, int timeout_ms);
// A waiting connection, and who it is; an empty descriptor: there is none.
Result<Descriptor> accept_tcp(int listener, Address& from);

// Bound to the address (backup), or connected to it (primary).
Result<Descriptor> bind_udp(const Address& address);
Result<Descriptor> connect_udp(const Address& address);

u16 port_of(int socket);
std::string text(const Address& address);

}  // namespace pollux::failover::driver
