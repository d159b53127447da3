// How the two sides of a pair trust each other: TLS 1.3 with the cluster's key as an external pre-shared key (RFC 8446,
// 2.2, with fresh key exchange), or with certificates of the cluster's own authority, or, only where it was asked for
// by name, not at all.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

struct ssl_ctx_st;

namespace pollux::failover::driver {

struct Security {
  enum class Kind : u8 { kKey, kCertificates, kPlainText };
  Kind kind = Kind::kKey;
  Bytes key;                  // kKey: 32 bytes
  std::string shown;          // the key's file, for sentences
  std::string certificate;    // kCertificates: PEM files; both sides show one
  std::string private_key;
  std::string authority;      // who must have signed the other side's

  static Security plain_text() { return {.kind = Kind::kPlainText}; }
};

// A key as `pollux key` writes it: 64 hexadecimal digits and a line end.
Result<Security> read_key(const std::string& path);

// The TLS library's settings for one side; null for plain text. Certificates are read here, and checked against their
// own authority: what is wrong on this side is said before the other one is asked.
class TlsContext {
 public:
  enum class Side : u8 { kClient, kServer };
  static Result<TlsContext> create(const Security& security, Side side);

  ssl_ctx_st* get() const { return context_.get(); }
  const Security& security() const { return *security_; }
  Side side() const { return side_; }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
  std::shared_ptr<Security> security_;  // the library keeps a pointer to it
  Side side_ = Side::kClient;
};

}  // namespace pollux::failover::driver
