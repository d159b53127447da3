#include "failover/driver/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

namespace pollux::failover::driver {
namespace {

std::unexpected<Error> system_fail(const std::string& what, int error) {
  return fail(ErrorKind::kEnvironment, what + ": " + std::strerror(error));
}

Result<Descriptor> open_socket(const Address& address, int type) {
  Descriptor fd(::socket(address.storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_fail("no socket can be opened", errno);
  return fd;
}

void without_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<Address> resolve(const std::string& host_port) {
  const std::size_t colon = host_port.rfind(':');
  if (colon == host_port.npos || colon + 1 == host_port.size()) {
    return fail(ErrorKind::kUsage, "'" + host_port + "' is not HOST:PORT");
  }
  std::string host = host_port.substr(0, colon);
  const std::string port = host_port.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (host.empty() ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return fail(ErrorKind::kUsage, "'" + host_port + "' names no address: " + ::gai_strerror(error));
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

Result<Descriptor> listen_tcp(const Address& address, const std::string& shown) {
  auto fd = open_socket(address, SOCK_STREAM);
  if (!fd) return fd;
  const int on = 1;
  ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd->get(), address.get(), address.length) != 0 || ::listen(fd->get(), 4) != 0) {
    if (errno == EADDRINUSE) {
      return fail(ErrorKind::kEnvironment, "port in use: " + shown + " is taken by another program; choose another port");
    }
    return system_fail("cannot listen on " + shown, errno);
  }
  return fd;
}

Result<Descriptor> connect_tcp(const Address& address, const std::string& shown, int timeout_ms) {
  auto fd = open_socket(address, SOCK_STREAM);
  if (!fd) return fd;
  int error = 0;
  if (::connect(fd->get(), address.get(), address.length) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      pollfd waiting{fd->get(), POLLOUT, 0};
      socklen_t length = sizeof error;
      error = ::poll(&waiting, 1, timeout_ms) <= 0 ? ETIMEDOUT : 0;
      if (error == 0) ::getsockopt(fd->get(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
  }
  if (error != 0) return system_fail("no backup answers at " + shown + "; start it first", error);
  without_delay(fd->get());
  return fd;
}

Result<Descriptor> accept_tcp(int listener, Address& from) {
  from.length = sizeof from.storage;
  Descriptor fd(
      ::accept4(listener, reinterpret_cast<sockaddr*>(&from.storage), &from.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd) {
    without_delay(fd.get());
    return fd;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return Descriptor();
  return system_fail("a connection cannot be taken", errno);
}

Result<Descriptor> bind_udp(const Address& address) {
  auto fd = open_socket(address, SOCK_DGRAM);
  if (!fd) return fd;
  if (::bind(fd->get(), address.get(), address.length) != 0) return system_fail("no port for heartbeats", errno);
  return fd;
}

Result<Descriptor> connect_udp(const Address& address) {
  auto fd = open_socket(address, SOCK_DGRAM);
  if (!fd) return fd;
  if (::connect(fd->get(), address.get(), address.length) != 0) return system_fail("no way for heartbeats", errno);
  return fd;
}

u16 port_of(int socket) {
  Address address;
  address.length = sizeof address.storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) return 0;
  if (address.storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port);
}

std::string text(const Address& address) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(address.get(), address.length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown address";
  }
  return std::string(host) + ":" + port;
}

}  // namespace pollux::failover::driver
