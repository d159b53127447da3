// Calls through a table of 64 functions in an order that does not repeat soon. SIZE in thousands of calls.
#include "mark.h"

typedef uint64_t (*Operation)(uint64_t);

#define ONE(number) \
  __attribute__((noinline)) static uint64_t operation##number(uint64_t x) { return (x >> (number % 7)) + x * (2 * number + 1); }
#define EIGHT(tens) ONE(tens##0) ONE(tens##1) ONE(tens##2) ONE(tens##3) ONE(tens##4) ONE(tens##5) ONE(tens##6) ONE(tens##7)
#define NAMES(tens)                                                                                    \
  operation##tens##0, operation##tens##1, operation##tens##2, operation##tens##3, operation##tens##4, \
      operation##tens##5, operation##tens##6, operation##tens##7

EIGHT(1) EIGHT(2) EIGHT(3) EIGHT(4) EIGHT(5) EIGHT(6) EIGHT(7) EIGHT(8)

static Operation volatile table_start[64] = {NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5), NAMES(6), NAMES(7), NAMES(8)};

int main(int argc, char** argv) {
  const long n = size_from(argc, argv) * 1000;
  Operation table[64];
  for (int i = 0; i < 64; ++i) table[i] = table_start[i];
  uint64_t x = 1, choice = 12345;
  start();
  for (long i = 0; i < n; ++i) {
    choice = choice * 6364136223846793005u + 1442695040888963407u;
    x = table[choice >> 58](x);
  }
  stop();
  return result(x);
}
