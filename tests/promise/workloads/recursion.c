// Calls and returns: Fibonacci numbers by double recursion, which no compiler flattens here. SIZE in rounds of fib(21).
#include "mark.h"

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls", "no-inline"))) static uint64_t fibonacci(unsigned n) {
  __asm__ volatile("");
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  uint64_t hash = 0;
  start();
  for (long round = 0; round < n; ++round) hash = mix(hash, fibonacci(21) + (uint64_t)round);
  stop();
  return result(hash);
}
