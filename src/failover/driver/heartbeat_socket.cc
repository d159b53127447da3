#include "failover/driver/heartbeat_socket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cerrno>

#include "failover/wire.h"

namespace pollux::failover::driver {
namespace {

constexpr std::size_t kCodeBytes = 16;
constexpr std::size_t kMaxDatagram = 512;

std::array<unsigned char, EVP_MAX_MD_SIZE> code(const Bytes& key, ByteSpan bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), int(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
       digest.data(), &length);
  return digest;
}

}  // namespace

Result<HeartbeatSocket> HeartbeatSocket::to(const Address& backup) {
  auto socket = connect_udp(backup);
  if (!socket) return pass(socket);
  return HeartbeatSocket(std::move(*socket), true);
}

Result<HeartbeatSocket> HeartbeatSocket::at(const Address& own) {
  auto socket = bind_udp(own);
  if (!socket) return pass(socket);
  return HeartbeatSocket(std::move(*socket), false);
}

void HeartbeatSocket::send(const Heartbeat& heartbeat) {
  ByteWriter out;
  encode(heartbeat, out);
  const auto proof = code(key_, out.bytes());
  out.put_bytes(std::as_bytes(std::span(proof.data(), kCodeBytes)));
  constexpr int kHow = MSG_DONTWAIT | MSG_NOSIGNAL;
  // One that cannot be sent is one that was lost.
  if (connected_) {
    [[maybe_unused]] const auto sent = ::send(socket_.get(), out.bytes().data(), out.size(), kHow);
  } else if (peer_) {
    [[maybe_unused]] const auto sent =
        ::sendto(socket_.get(), out.bytes().data(), out.size(), kHow, peer_->get(), peer_->length);
  }
}

std::optional<Heartbeat> HeartbeatSocket::receive() {
  std::byte bytes[kMaxDatagram];
  while (true) {
    Address from;
    from.length = sizeof from.storage;
    const ssize_t count = ::recvfrom(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from.storage), &from.length);
    if (count < 0 && errno == ECONNREFUSED) continue;  // an echo of one that found nobody
    if (count < 0) return std::nullopt;
    if (std::size_t(count) <= kCodeBytes) continue;
    const ByteSpan said(bytes, std::size_t(count) - kCodeBytes);
    const auto proof = code(key_, said);
    if (CRYPTO_memcmp(proof.data(), bytes + said.size(), kCodeBytes) != 0) continue;
    const auto heartbeat = decode_heartbeat(said);
    if (!heartbeat) continue;
    if (!connected_) peer_ = from;
    return heartbeat;
  }
}

}  // namespace pollux::failover::driver
