// Products of matrices of doubles, as plain loops: packed SSE2 where the compiler makes it so.
#include "mark.h"

enum { kOrder = 64 };

static double a[kOrder][kOrder], b[kOrder][kOrder], c[kOrder][kOrder];

static void multiply(void) {
  for (int i = 0; i < kOrder; ++i) {
    for (int j = 0; j < kOrder; ++j) c[i][j] = 0;
    for (int k = 0; k < kOrder; ++k)
      for (int j = 0; j < kOrder; ++j) c[i][j] += a[i][k] * b[k][j];
  }
}

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  for (int i = 0; i < kOrder; ++i)
    for (int j = 0; j < kOrder; ++j) a[i][j] = 1.0 / (1 + i + j), b[i][j] = (i * 7 + j * 3) % 11 - 5;
  uint64_t hash = 0;
  start();
  for (long round = 0; round < n; ++round) {
    multiply();
    uint64_t bits;
    memcpy(&bits, &c[round % kOrder][(round * 5) % kOrder], 8);
    hash = mix(hash, bits);
    a[round % kOrder][(round * 3) % kOrder] += 0.25;
  }
  stop();
  return result(hash);
}
