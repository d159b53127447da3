// Independent loads from random places in 64 MiB: 16,384 pages, far more than any table of translations holds.
// SIZE in thousands of loads.
#include <sys/mman.h>

#include "mark.h"

enum { kBytes = 64 << 20, kWords = kBytes / 8 };

int main(int argc, char** argv) {
  const long n = size_from(argc, argv) * 1000;
  uint64_t* memory = mmap(0, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory != MAP_FAILED, "mmap");
  madvise(memory, kBytes, MADV_NOHUGEPAGE);  // the same pages natively and in each guest
  for (uint64_t i = 0; i < kWords; i += 8) memory[i] = i * 0x9e3779b97f4a7c15u;
  uint64_t seed = 88172645463325252u, sum = 0;
  start();
  for (long i = 0; i < n; ++i) sum += memory[(next_random(&seed) % kWords) & ~7ull];
  stop();
  return result(sum);
}
