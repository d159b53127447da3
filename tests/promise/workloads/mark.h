// What every workload shares: its size from the command line, the marks around the part that is timed, its result.
//
// A mark is a line on descriptor 9, which the agent has connected to the console; the host notes when it arrives.
// A workload without marks is timed from before its process is made until after it has ended.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { kMarkDescriptor = 9 };

static inline void mark(const char* line) {
  if (write(kMarkDescriptor, line, strlen(line)) > 0) tcdrain(kMarkDescriptor);  // a serial line takes its time
}
static inline void start(void) { mark("@start\n"); }
static inline void stop(void) { mark("@stop\n"); }

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
