// OpenSSL's own code: `openssl aes N` encrypts N times 64 KiB, `openssl sha N` hashes them, `openssl rsa N` signs N times.
// The key is nobody's: its primes stand below so that every run signs with the same one.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "mark.h"

enum { kBlock = 64 << 10, kSignature = 256 };

static const char kP[] =
    "f8b7695df6624518c847cc1f3a5581d9cd2f438e06b077b88b8cf752f55845fb6436d336b274fbcf73d686589a0b772c1345"
    "2532b173ab56390a5937264c7a2942d071f8a6cb97955f578eb37e104c03165eca72f9e91366de7473c575b02dde97545fa7"
    "13476e882fccc204e373c55c77d8737acbbd232120c824b316265083";
static const char kQ[] =
    "b9e638f44eb5a56786b5f74f4f9c497c08ed344bdcc57d0ee097d9d5f5933c1a62ff547ae6ae141e4ad937c1a92e6d641115"
    "2264c5354cff65b6fd8528ec28021901e8e2453d03290d0410a70b8358a0d41e058fe8e951a22da4bdb01588d5140847a22e"
    "c32f6a3364893248737fa6c48a8e2adb892fcd1f51a95a8b6167d393";

static unsigned char data[kBlock], sealed[kBlock + 16];

static uint64_t fold(uint64_t hash, const unsigned char* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) hash = mix(hash, bytes[i]);
  return hash;
}

static uint64_t aes(long n) {
  static const unsigned char kKey[16] = "a key of 16 byte", kIv[16] = "and its counter";
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  check(EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), 0, kKey, kIv) == 1, "EVP_EncryptInit_ex");
  start();
  for (long i = 0; i < n; ++i) {
    int length;
    check(EVP_EncryptUpdate(context, sealed, &length, data, kBlock) == 1 && length == kBlock, "EVP_EncryptUpdate");
  }
  stop();
  return fold(0, sealed, kBlock);
}

static uint64_t sha(long n) {
  unsigned char digest[32];
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  check(EVP_DigestInit_ex(context, EVP_sha256(), 0) == 1, "EVP_DigestInit_ex");
  start();
  for (long i = 0; i < n; ++i) check(EVP_DigestUpdate(context, data, kBlock) == 1, "EVP_DigestUpdate");
  check(EVP_DigestFinal_ex(context, digest, 0) == 1, "EVP_DigestFinal_ex");
  stop();
  return fold(0, digest, sizeof digest);
}

static RSA* key(void) {
  BN_CTX* context = BN_CTX_new();
  BIGNUM *p = 0, *q = 0, *n = BN_new(), *e = BN_new(), *p1 = BN_new(), *q1 = BN_new(), *phi = BN_new(), *dp = BN_new(),
         *dq = BN_new();
  BN_hex2bn(&p, kP);
  BN_hex2bn(&q, kQ);
  BN_mul(n, p, q, context);
  BN_set_word(e, 65537);
  BN_sub(p1, p, BN_value_one());
  BN_sub(q1, q, BN_value_one());
  BN_mul(phi, p1, q1, context);
  BIGNUM *d = BN_mod_inverse(0, e, phi, context), *inverse = BN_mod_inverse(0, q, p, context);
  BN_mod(dp, d, p1, context);
  BN_mod(dq, d, q1, context);
  RSA* rsa = RSA_new();
  check(RSA_set0_key(rsa, n, e, d) && RSA_set0_factors(rsa, p, q) && RSA_set0_crt_params(rsa, dp, dq, inverse), "RSA");
  check(RSA_check_key(rsa) == 1, "RSA_check_key");
  return rsa;
}

static uint64_t rsa(long n) {
  unsigned char digest[32] = {1}, signature[kSignature];
  RSA* signer = key();
  uint64_t hash = 0;
  start();
  for (long i = 0; i < n; ++i) {
    unsigned length;
    digest[31] = (unsigned char)i;
    check(RSA_sign(NID_sha256, digest, sizeof digest, signature, &length, signer) == 1, "RSA_sign");
    hash = fold(hash, signature, length);
  }
  stop();
  return hash;
}

int main(int argc, char** argv) {
  const long n = size_from(argc - 1, argv + 1);
  for (size_t i = 0; i < sizeof data; ++i) data[i] = (unsigned char)(i * 131 + (i >> 9));
  if (strcmp(argv[1], "aes") == 0) return result(aes(n));
  if (strcmp(argv[1], "sha") == 0) return result(sha(n));
  if (strcmp(argv[1], "rsa") == 0) return result(rsa(n));
  return 2;
}
