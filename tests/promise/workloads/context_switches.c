// Two threads of one process hand a word to each other by futex: switches without a change of address space.
// SIZE in round trips.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "mark.h"

static _Atomic uint32_t turn;
static long rounds;

static void pass_to(uint32_t value) {
  atomic_store(&turn, value);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static void wait_for(uint32_t value) {
  for (uint32_t seen; (seen = atomic_load(&turn)) != value;)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, 0, 0, 0);
}

static void* other(void* sum) {
  for (long i = 0; i < rounds; ++i) {
    wait_for(1);
    *(uint64_t*)sum += (uint64_t)i;
    pass_to(0);
  }
  return 0;
}

int main(int argc, char** argv) {
  rounds = size_from(argc, argv);
  uint64_t sum = 0;
  pthread_t thread;
  check(pthread_create(&thread, 0, other, &sum) == 0, "pthread_create");
  start();
  for (long i = 0; i < rounds; ++i) {
    pass_to(1);
    wait_for(0);
  }
  stop();
  pthread_join(thread, 0);
  return result(sum);
}
