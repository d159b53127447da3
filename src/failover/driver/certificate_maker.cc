#include "failover/driver/certificate_maker.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/integers.h"

namespace pollux::failover::driver {
namespace {

constexpr long kSecondsPerDay = 24 * 60 * 60, kValidDays = 3650;
constexpr std::size_t kLongestName = 64;  // ub-common-name of RFC 5280

template <auto free>
struct Free {
  void operator()(auto* pointer) const { free(pointer); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;

std::unexpected<Error> failed(const std::string& name) {
  return fail(ErrorKind::kEnvironment, "the TLS library cannot make a certificate for " + name);
}

bool extend(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Everything but extensions and signature.
Certificate blank(const std::string& name, EVP_PKEY* key) {
  Certificate made(X509_new());
  u64 serial = 0;
  if (!made || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return nullptr;
  X509_NAME* subject = X509_get_subject_name(made.get());
  const bool good = X509_set_version(made.get(), X509_VERSION_3) &&
                    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1 | 1) &&
                    // A day back: hosts' clocks differ.
                    X509_gmtime_adj(X509_getm_notBefore(made.get()), -kSecondsPerDay) &&
                    X509_gmtime_adj(X509_getm_notAfter(made.get()), kValidDays * kSecondsPerDay) &&
                    X509_set_pubkey(made.get(), key) &&
                    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return good ? std::move(made) : nullptr;
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, std::size_t(size)};
}

Result<Credentials> as_pem(const std::string& name, X509* certificate, EVP_PKEY* key) {
  const Memory first(BIO_new(BIO_s_mem())), second(BIO_new(BIO_s_mem()));
  if (!first || !second || !PEM_write_bio_X509(first.get(), certificate) ||
      !PEM_write_bio_PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr, nullptr)) {
    return failed(name);
  }
  return Credentials{text_of(first.get()), text_of(second.get())};
}

}  // namespace

Result<Credentials> make_authority(const std::string& name) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate made = key ? blank(name, key.get()) : nullptr;
  X509* authority = made.get();
  if (!authority || !X509_set_issuer_name(authority, X509_get_subject_name(authority)) ||
      !extend(authority, authority, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !extend(authority, authority, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !extend(authority, authority, NID_subject_key_identifier, "hash") ||
      !X509_sign(authority, key.get(), EVP_sha256())) {
    return failed(name);
  }
  return as_pem(name, authority, key.get());
}

Result<Credentials> make_certificate(const std::string& host, const Credentials& authority) {
  if (host.empty() || host.size() > kLongestName) {
    return fail(ErrorKind::kUsage, "a certificate's host is named with 1 to 64 letters");
  }
  const Memory certificate_text(BIO_new_mem_buf(authority.certificate.data(), int(authority.certificate.size())));
  const Memory key_text(BIO_new_mem_buf(authority.private_key.data(), int(authority.private_key.size())));
  const Certificate issuer(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
  const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuer_key || X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    return fail(ErrorKind::kFormat, "the authority's certificate and key are damaged, or not of one authority");
  }
  const Key key(EVP_EC_gen("P-256"));
  const Certificate made = key ? blank(host, key.get()) : nullptr;
  if (!made || !X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get())) ||
      !extend(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !extend(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !extend(made.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
      !extend(made.get(), issuer.get(), NID_authority_key_identifier, "keyid") ||
      !X509_sign(made.get(), issuer_key.get(), EVP_sha256())) {
    return failed(host);
  }
  return as_pem(host, made.get(), key.get());
}

}  // namespace pollux::failover::driver
