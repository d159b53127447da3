// What every workload shares: its size from the command line, the marks around the part that is timed, its result.
//
// A mark is a line on descriptor 9, which the agent has connected to the console; the host notes when it arrives. It
// carries the time of the monotonic clock, which is the host's own when the workload runs natively.
// A workload without marks is timed from before its process is made until after it has ended.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { kMarkDescriptor = 9 };

static inline void mark(const char* word) {
  char line[64];
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int length = snprintf(line, sizeof line, "@%s %ld.%09ld\n", word, (long)now.tv_sec, now.tv_nsec);
  if (write(kMarkDescriptor, line, (size_t)length) > 0) tcdrain(kMarkDescriptor);  // a serial line takes its time
}
static inline void start(void) { mark("start"); }
static inline void stop(void) { mark("stop"); }

static inline long size_from(int argc, char** argv) {
  const long n = argc > 1 ? atol(argv[1]) : 0;
  if (n < 1) {
    fprintf(stderr, "usage: %s SIZE\n", argv[0]);
    exit(2);
  }
  return n;
}

// The result is compared between native, Pollux and QEMU, so it depends on the size and on nothing else.
static inline int result(uint64_t value) { return printf("%016llx\n", (unsigned long long)value) < 0; }

static inline uint64_t next_random(uint64_t* state) {  // xorshift64
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static inline uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3u; }

static inline void check(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}
