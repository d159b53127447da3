// CoreMark-like integer work: list operations, a small matrix in integers, a state machine over text, and a CRC over
// their results. SIZE in rounds of all three.
#include "mark.h"

enum { kItems = 200, kOrder = 12, kText = 600 };

struct Item {
  struct Item* next;
  int16_t value, index;
};

static struct Item items[kItems];
static int16_t a[kOrder][kOrder], b[kOrder][kOrder];
static int32_t c[kOrder][kOrder];
static char text[kText + 1];

static uint16_t crc16(uint16_t value, uint16_t crc) {
  for (int bit = 0; bit < 16; ++bit) {
    const int carry = (value ^ crc) & 1;
    value >>= 1;
    crc >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}

static struct Item* reverse(struct Item* list) {
  struct Item* head = 0;
  while (list) {
    struct Item* next = list->next;
    list->next = head;
    head = list;
    list = next;
  }
  return head;
}

// Merge sort of a linked list, bottom up.
static struct Item* sort(struct Item* list, int by_index) {
  for (int width = 1;; width *= 2) {
    struct Item *p = list, *tail = 0;
    int merges = 0;
    list = 0;
    while (p) {
      ++merges;
      struct Item* q = p;
      int left = 0, right = width;
      while (left < width && q) ++left, q = q->next;
      while (left > 0 || (right > 0 && q)) {
        struct Item* taken;
        const int from_left =
            left > 0 && (right == 0 || !q || (by_index ? p->index <= q->index : p->value <= q->value));
        if (from_left) taken = p, p = p->next, --left;
        else taken = q, q = q->next, --right;
        if (tail) tail->next = taken;
        else list = taken;
        tail = taken;
      }
      p = q;
    }
    tail->next = 0;
    if (merges <= 1) return list;
  }
}

static uint16_t list_work(int seed, uint16_t crc) {
  for (int i = 0; i < kItems; ++i) {
    items[i].next = i + 1 < kItems ? &items[i + 1] : 0;
    items[i].index = (int16_t)i;
    items[i].value = (int16_t)((i * 7919 + seed * 31) & 0x7fff);
  }
  struct Item* list = sort(reverse(items), 0);
  int found = 0;
  for (int wanted = 0; wanted < 8; ++wanted)
    for (struct Item* i = list; i; i = i->next)
      if ((i->index & 7) == wanted && (i->value & 1)) ++found;
  int place = 0;
  for (struct Item* i = list; i; i = i->next)
    if (++place % 32 == 0) crc = crc16((uint16_t)i->value, crc);
  list = sort(list, 1);
  return crc16((uint16_t)(found + list->value), crc);
}

static uint16_t matrix_work(int seed, uint16_t crc) {
  for (int i = 0; i < kOrder; ++i)
    for (int j = 0; j < kOrder; ++j) a[i][j] = (int16_t)(i * j + seed), b[i][j] = (int16_t)(i - j * seed);
  for (int i = 0; i < kOrder; ++i)
    for (int j = 0; j < kOrder; ++j) {
      int32_t sum = 0;
      for (int k = 0; k < kOrder; ++k) {
        const int32_t product = a[i][k] * b[k][j];
        sum += ((product >> 2) & 0xf) * ((product >> 5) & 0x7f);
      }
      c[i][j] = sum;
    }
  uint32_t trace = 0;
  for (int i = 0; i < kOrder; ++i) trace = trace * 3 + (uint32_t)c[i][(i * 5) % kOrder];
  return crc16((uint16_t)trace, crc);
}

enum State { kStart, kInteger, kFraction, kExponent, kInvalid, kStates };

static uint16_t text_work(int seed, uint16_t crc) {
  static const char kWords[] = "5012,1.23e4,-874,+0.5,T0.3e,1e-1x,..,55e+77,";
  for (int i = 0; i < kText; ++i) text[i] = kWords[(i + seed) % (int)(sizeof kWords - 1)];
  unsigned count[kStates] = {0};
  enum State state = kStart;
  for (const char* p = text; *p; ++p) {
    const char ch = *p;
    if (ch == ',') {
      ++count[state];
      state = kStart;
      continue;
    }
    switch (state) {
      case kStart: state = ch >= '0' && ch <= '9' ? kInteger : ch == '+' || ch == '-' ? kInteger : ch == '.' ? kFraction : kInvalid; break;
      case kInteger: state = ch >= '0' && ch <= '9' ? kInteger : ch == '.' ? kFraction : ch == 'e' ? kExponent : kInvalid; break;
      case kFraction: state = ch >= '0' && ch <= '9' ? kFraction : ch == 'e' ? kExponent : kInvalid; break;
      case kExponent: state = (ch >= '0' && ch <= '9') || ch == '-' || ch == '+' ? kExponent : kInvalid; break;
      default: break;
    }
  }
  for (int s = 0; s < kStates; ++s) crc = crc16((uint16_t)count[s], crc);
  return crc;
}

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  uint16_t crc = 0xffff;
  start();
  for (long i = 0; i < n; ++i) {
    const int seed = (int)(i & 1023);
    crc = list_work(seed, crc);
    crc = matrix_work(seed, crc);
    crc = text_work(seed, crc);
  }
  stop();
  return result(crc);
}
