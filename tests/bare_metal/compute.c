// Integer work of the kinds that CoreMark mixes: a linked list that is searched and reversed, a matrix product, a state
// machine over text, and a CRC over all of it. Used by tests/promise/bench; as a test it checks the result.
#include "bare.h"

enum { NODES = 256, SIDE = 24, TEXT = 512, ROUNDS = 400 };

struct node {
  struct node* next;
  int value;
};
static struct node nodes[NODES];
static int left[SIDE][SIDE], right[SIDE][SIDE];

static u16 crc(u16 sum, u32 value) {
  for (int i = 0; i < 32; ++i, value >>= 1) {
    const int bit = (sum ^ value) & 1;
    sum = (u16)(sum >> 1 ^ (bit ? 0xa001 : 0));
  }
  return sum;
}

static struct node* reversed(struct node* list) {
  struct node* done = 0;
  while (list) {
    struct node* next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static u32 search(const struct node* list, int wanted) {
  u32 steps = 0;
  for (; list; list = list->next, ++steps) {
    if (list->value == wanted) break;
  }
  return steps;
}

static u32 multiply(void) {
  u32 sum = 0;
  for (int i = 0; i < SIDE; ++i) {
    for (int j = 0; j < SIDE; ++j) {
      int cell = 0;
      for (int k = 0; k < SIDE; ++k) cell += left[i][k] * right[k][j];
      sum += (u32)cell;
    }
  }
  return sum;
}

// Counts numbers, words and signs in a text made from the seed.
static u32 scan(u32 seed) {
  enum { BETWEEN, NUMBER, WORD } state = BETWEEN;
  u32 counts[3] = {0, 0, 0};
  for (int i = 0; i < TEXT; ++i) {
    seed = seed * 1103515245 + 12345;
    const u32 sign = seed >> 16 & 63;
    const int next = sign < 20 ? NUMBER : sign < 50 ? WORD : BETWEEN;
    if (next != (int)state) counts[state]++;
    state = next;
  }
  return counts[0] | counts[1] << 10 | counts[2] << 20;
}

int test(void) {
  for (int i = 0; i < NODES; ++i) nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : 0, i * 7 % NODES};
  for (int i = 0; i < SIDE * SIDE; ++i) {
    left[i / SIDE][i % SIDE] = i * 3 % 17;
    right[i / SIDE][i % SIDE] = i * 5 % 13;
  }
  struct node* list = nodes;
  u16 sum = 0;
  for (u32 round = 0; round < ROUNDS; ++round) {
    list = reversed(list);
    sum = crc(sum, search(list, (int)(round * 11 % NODES)));
    sum = crc(sum, multiply());
    sum = crc(sum, scan(round));
  }
  EXPECT(sum, 0x925);
  return 0;
}
