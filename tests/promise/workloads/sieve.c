// The sieve of Eratosthenes over 256 KiB, again and again: byte stores at growing strides, predictable branches.
#include "mark.h"

enum { kLimit = 256 << 10 };

static unsigned char composite[kLimit];

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  uint64_t hash = 0;
  start();
  for (long round = 0; round < n; ++round) {
    memset(composite, 0, sizeof composite);
    unsigned primes = 0;
    for (unsigned i = 2; i < kLimit; ++i) {
      if (composite[i]) continue;
      ++primes;
      for (unsigned j = i * 2; j < kLimit; j += i) composite[j] = 1;
    }
    hash = mix(hash, primes + (uint64_t)round);
  }
  stop();
  return result(hash);
}
