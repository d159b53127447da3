#include "failover/driver/channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <climits>
#include <cstring>

namespace pollux::failover::driver {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kHeartbeatKeyBytes = 32;

u64 milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return u64(now.tv_sec) * 1000 + u64(now.tv_nsec) / 1'000'000;
}

bool wait_for(int fd, short what, u64 deadline_ms) {
  const u64 now = milliseconds();
  if (now >= deadline_ms) return false;
  pollfd waiting{fd, what, 0};
  return ::poll(&waiting, 1, int(deadline_ms - now)) > 0 || errno == EINTR;
}

// The library's own way to a socket raises SIGPIPE when the other side is gone; this one only fails.
int quiet_write(BIO* bio, const char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const ssize_t moved = ::send(int(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), bytes, std::size_t(count), MSG_NOSIGNAL);
  if (moved < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return int(moved);
}

int quiet_read(BIO* bio, char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const ssize_t moved = ::recv(int(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), bytes, std::size_t(count), 0);
  if (moved < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return int(moved);
}

long quiet_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

BIO* quiet_socket(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    BIO_meth_set_write(made, quiet_write);
    BIO_meth_set_read(made, quiet_read);
    BIO_meth_set_ctrl(made, quiet_control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, reinterpret_cast<void*>(std::intptr_t(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

void Channel::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Result<std::unique_ptr<Channel>> Channel::open(Descriptor socket, const TlsContext& tls, int timeout_ms) {
  std::unique_ptr<Channel> channel(new Channel(std::move(socket)));
  channel->heartbeat_key_.resize(kHeartbeatKeyBytes);
  if (tls.get() != nullptr) {
    if (auto shaken = channel->shake_hands(tls, timeout_ms); !shaken) return pass(shaken);
  }
  return channel;
}

Channel::~Channel() = default;

Result<void> Channel::shake_hands(const TlsContext& tls, int timeout_ms) {
  ssl_.reset(SSL_new(tls.get()));
  SSL* ssl = ssl_.get();
  BIO* bio = quiet_socket(socket_.get());
  SSL_set_bio(ssl, bio, bio);
  const bool client = tls.side() == TlsContext::Side::kClient;
  const u64 deadline_ms = milliseconds() + u64(timeout_ms);
  security_ = tls.security();
  while (true) {
    ERR_clear_error();
    const int result = client ? SSL_connect(ssl) : SSL_accept(ssl);
    if (result == 1) break;
    const int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      if (wait_for(socket_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ms)) continue;
      return fail(ErrorKind::kEnvironment,
                  "the other side does not answer the TLS handshake: is it a pollux of this version?");
    }
    const bool ended = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (error == SSL_ERROR_SYSCALL || ended) {
      return fail(ErrorKind::kEnvironment, "the other side closed the connection during the TLS handshake");
    }
    return fail(ErrorKind::kEnvironment, distrust());
  }
  if (security_.kind == Security::Kind::kKey && !SSL_session_reused(ssl)) return fail(ErrorKind::kEnvironment, distrust());
  static constexpr std::string_view kLabel = "EXPORTER-pollux-heartbeat";
  if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(heartbeat_key_.data()), heartbeat_key_.size(),
                                 kLabel.data(), kLabel.size(), nullptr, 0, 0) != 1) {
    return fail(ErrorKind::kEnvironment, "the TLS library gives no key for heartbeats");
  }
  return {};
}

std::string Channel::distrust() const {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (security_.kind == Security::Kind::kKey) {
    return "the other side has another cluster key than " + security_.shown +
           ", or uses certificates, or does not speak TLS: give both sides the same key";
  }
  if (const long result = SSL_get_verify_result(ssl_.get()); result != X509_V_OK) {
    return "the other side's certificate is refused (" + std::string(X509_verify_cert_error_string(result)) +
           "): both sides need certificates that the authority " + security_.authority + " has signed";
  }
  switch (reason) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN: case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return "the other side refuses the certificate " + security_.certificate +
             ": both sides need certificates of one authority";
    default:
      return "the other side shows no certificate or does not speak TLS: give both sides certificates of one authority";
  }
}

void Channel::broken(std::string why) {
  if (broken_) return;
  broken_ = true;
  why_ = std::move(why);
}

// ---- out

void Channel::send(const Message& message) {
  if (mute_) return;
  ByteWriter frame;
  encode(message, frame);
  std::size_t sent = 0;
  if (!wants_write()) {
    // The usual case: straight from here to the socket.
    while (sent < frame.size()) {
      const long moved = write_some(frame.bytes().data() + sent, frame.size() - sent);
      if (moved <= 0) break;
      sent += std::size_t(moved);
    }
  }
  if (sent == frame.size() || mute_) return;
  if (out_taken_ == out_.size()) {
    out_.clear();
    out_taken_ = 0;
  }
  out_.insert(out_.end(), frame.bytes().begin() + std::ptrdiff_t(sent), frame.bytes().end());
}

void Channel::flush() {
  while (wants_write()) {
    const long moved = write_some(out_.data() + out_taken_, out_.size() - out_taken_);
    if (moved <= 0) return;
    out_taken_ += std::size_t(moved);
  }
}

long Channel::write_some(const std::byte* bytes, std::size_t count) {
  if (!ssl_) {
    const ssize_t moved = ::send(socket_.get(), bytes, count, MSG_NOSIGNAL);
    if (moved < 0) return errno == EAGAIN || errno == EINTR ? 0 : unwritable();
    bytes_sent_ += u64(moved);
    return moved;
  }
  ERR_clear_error();
  const int result = SSL_write(ssl_.get(), bytes, int(std::min<std::size_t>(count, INT_MAX)));
  if (result > 0) {
    bytes_sent_ += u64(result);
    return result;
  }
  const int error = SSL_get_error(ssl_.get(), result);
  return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : unwritable();
}

long Channel::unwritable() {
  mute_ = true;
  out_.clear();
  out_taken_ = 0;
  return -1;
}

// ---- in

bool Channel::read(std::vector<Message>& messages) {
  std::byte bytes[kReadBytes];
  // What arrived before the end is still good.
  while (!broken_) {
    const long moved = read_some(bytes, sizeof bytes);
    if (moved <= 0) break;
    reader_.feed({bytes, std::size_t(moved)});
    while (true) {
      Result<std::optional<Message>> message = reader_.next();
      if (!message) {
        broken(message.error().sentence);
        break;
      }
      if (!*message) break;
      messages.push_back(std::move(**message));
    }
  }
  return !broken_;
}

long Channel::read_some(std::byte* bytes, std::size_t count) {
  if (!ssl_) {
    const ssize_t moved = ::recv(socket_.get(), bytes, count, 0);
    if (moved > 0) return moved;
    if (moved < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    broken(moved == 0 ? "it closed the connection" : std::string("the connection broke: ") + std::strerror(errno));
    return -1;
  }
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), bytes, int(count));
  if (result > 0) return result;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  // A server learns last whether it trusts a client, when the handshake has ended for the client.
  broken(error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) >= SSL_AD_REASON_OFFSET ? distrust()
                                                                                            : "it closed the connection");
  return -1;
}

void Channel::close(int timeout_ms) {
  const u64 deadline_ms = milliseconds() + u64(timeout_ms);
  while (wants_write()) {
    flush();
    if (wants_write() && !wait_for(socket_.get(), POLLOUT, deadline_ms)) break;
  }
  // Not a reset: the other side shall read what was sent.
  ::shutdown(socket_.get(), SHUT_WR);
  mute_ = true;
  broken("this side closed the connection");
}

}  // namespace pollux::failover::driver
