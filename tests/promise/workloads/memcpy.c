// Copies of 64 bytes to 64 KiB with the C library's memcpy, at changing alignments. SIZE in rounds of 704 KiB.
#include "mark.h"

enum { kSmallest = 64, kLargest = 64 << 10 };

static unsigned char from[kLargest + 64], to[kLargest + 64];

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  for (size_t i = 0; i < sizeof from; ++i) from[i] = (unsigned char)(i * 31 + (i >> 8));
  uint64_t hash = 0;
  start();
  for (long round = 0; round < n; ++round)
    for (size_t bytes = kSmallest; bytes <= kLargest; bytes *= 2)
      for (size_t copied = 0; copied < kLargest; copied += bytes) {
        const size_t skew = (size_t)round & 15;
        memcpy(to + skew, from + (skew ^ 7), bytes);
        __asm__ volatile("" ::: "memory");
        hash = mix(hash, to[skew + bytes - 1]);
      }
  stop();
  return result(hash);
}
