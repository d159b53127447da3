// First touches of fresh pages, 1,024 at a time, and their return. SIZE in rounds.
#include <sys/mman.h>

#include "mark.h"

enum { kPages = 1024, kPage = 4096 };

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  uint64_t hash = 0;
  start();
  for (long round = 0; round < n; ++round) {
    unsigned char* memory = mmap(0, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    madvise(memory, kPages * kPage, MADV_NOHUGEPAGE);
    for (int page = 0; page < kPages; ++page) memory[page * kPage + page % kPage] = (unsigned char)(page + round);
    hash = mix(hash, memory[(kPages - 1) * kPage + (kPages - 1) % kPage]);
    check(munmap(memory, kPages * kPage) == 0, "munmap");
  }
  stop();
  return result(hash);
}
