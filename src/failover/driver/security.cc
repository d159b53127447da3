#include "failover/driver/security.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace pollux::failover::driver {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kIdentity = "pollux";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The key as the TLS library wants it: a session that never was, with a cipher of TLS 1.3.
SSL_SESSION* session_of(SSL* ssl) {
  const auto* security = static_cast<const Security*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
  SSL_SESSION* session = SSL_SESSION_new();
  const auto* key = reinterpret_cast<const unsigned char*>(security->key.data());
  if (session && SSL_SESSION_set1_master_key(session, key, security->key.size()) &&
      SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) &&
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)) {
    return session;
  }
  SSL_SESSION_free(session);
  return nullptr;
}

int use_key(SSL* ssl, const EVP_MD*, const unsigned char** id, std::size_t* id_length, SSL_SESSION** session) {
  *id = reinterpret_cast<const unsigned char*>(kIdentity.data());
  *id_length = kIdentity.size();
  *session = session_of(ssl);
  return *session != nullptr;
}

int find_key(SSL* ssl, const unsigned char* id, std::size_t id_length, SSL_SESSION** session) {
  *session = nullptr;
  if (as_text(std::as_bytes(std::span(id, id_length))) == kIdentity) *session = session_of(ssl);
  return 1;
}

std::unexpected<Error> refuse(std::string sentence) { return fail(ErrorKind::kEnvironment, std::move(sentence)); }

// Would the other side, with the same authority, accept this side's certificate?
Result<void> check_own_certificate(SSL_CTX* context, const Security& security) {
  const std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> check(X509_STORE_CTX_new(), X509_STORE_CTX_free);
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context), SSL_CTX_get0_certificate(context), chain) != 1) {
    return refuse("the certificate " + security.certificate + " cannot be checked");
  }
  if (X509_verify_cert(check.get()) == 1) return {};
  return refuse("the certificate " + security.certificate + " is no good with the authority " + security.authority + " (" +
                X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get())) +
                "): both sides need certificates that this authority has signed");
}

Result<void> use_certificates(SSL_CTX* context, const Security& security) {
  if (SSL_CTX_use_certificate_chain_file(context, security.certificate.c_str()) != 1) {
    return refuse("the certificate " + security.certificate + " cannot be read: it must be a PEM file");
  }
  if (SSL_CTX_use_PrivateKey_file(context, security.private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return refuse("the private key " + security.private_key + " cannot be read, or is not that of the certificate " +
                  security.certificate);
  }
  if (SSL_CTX_load_verify_locations(context, security.authority.c_str(), nullptr) != 1) {
    return refuse("the authority's certificate " + security.authority + " cannot be read: it must be a PEM file");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return check_own_certificate(context, security);
}

}  // namespace

Result<Security> read_key(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return fail(ErrorKind::kEnvironment,
                "the key file " + path + " cannot be read (" + std::strerror(errno) + "): make one with pollux key");
  }
  std::string text;
  std::getline(file, text);
  Security security;
  security.shown = path;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    security.key.push_back(std::byte(high << 4 | low));
  }
  if (security.key.size() != kKeyBytes || text.size() != 2 * kKeyBytes) {
    return fail(ErrorKind::kFormat, "the key file " + path + " holds no key: it must be 64 hexadecimal digits, as pollux key makes them");
  }
  return security;
}

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsContext> TlsContext::create(const Security& security, Side side) {
  TlsContext made;
  made.security_ = std::make_shared<Security>(security);
  made.side_ = side;
  if (security.kind == Security::Kind::kPlainText) return made;
  made.context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.context_.get();
  if (!context) return fail(ErrorKind::kEnvironment, "the TLS library gives no context");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_app_data(context, made.security_.get());
  if (security.kind == Security::Kind::kCertificates) {
    if (auto used = use_certificates(context, security); !used) return pass(used);
    return made;
  }
  // No certificate can stand in for the key. A server has none, so that a client without the key finds nothing else to
  // agree on; a client knows no authority, so that a server which shows a certificate in place of the key is refused.
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  if (side == Side::kClient) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_psk_use_session_callback(context, use_key);
  } else {
    SSL_CTX_set_psk_find_session_callback(context, find_key);
  }
  return made;
}

}  // namespace pollux::failover::driver
