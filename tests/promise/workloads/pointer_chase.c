// Follows one cycle through 4 MiB in random order: every load waits for the one before it. SIZE in thousands of loads.
#include "mark.h"

enum { kNodes = 64 << 10 };

static struct Node {
  struct Node* next;
  uint64_t number, padding[6];
} nodes[kNodes];

int main(int argc, char** argv) {
  const long n = size_from(argc, argv) * 1000;
  static uint32_t order[kNodes];
  uint64_t seed = 88172645463325252u;
  for (uint32_t i = 0; i < kNodes; ++i) order[i] = i;
  for (uint32_t i = kNodes - 1; i > 0; --i) {
    const uint32_t j = (uint32_t)(next_random(&seed) % (i + 1)), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  for (uint32_t i = 0; i < kNodes; ++i) {
    nodes[order[i]].next = &nodes[order[(i + 1) % kNodes]];
    nodes[order[i]].number = i;
  }
  struct Node* node = &nodes[0];
  start();
  for (long i = 0; i < n; ++i) node = node->next;
  stop();
  return result(node->number);
}
