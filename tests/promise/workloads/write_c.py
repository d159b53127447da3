"""Writes a C program for the compiler to work on: structures, loops, switches, doubles, calls. Size: groups of functions."""

import sys

GROUP = """
struct item@ { struct item@ *next; int key; double weight; char name[24]; };

static int compare@(const struct item@ *a, const struct item@ *b) {
  if (a->key != b->key) return a->key < b->key ? -1 : 1;
  for (int i = 0; i < 24; ++i)
    if (a->name[i] != b->name[i]) return a->name[i] - b->name[i];
  return 0;
}

static struct item@ *insert@(struct item@ *list, struct item@ *fresh) {
  struct item@ **at = &list;
  while (*at && compare@(*at, fresh) < 0) at = &(*at)->next;
  fresh->next = *at;
  *at = fresh;
  return list;
}

double simulate@(unsigned steps, double *out) {
  double x = 0.5 + @, y = 0.25, z = 1.0 / (@ + 3);
  for (unsigned i = 0; i < steps; ++i) {
    double dx = 10.0 * (y - x), dy = x * (28.0 - z) - y, dz = x * y - 2.6667 * z;
    x += dx * 0.001; y += dy * 0.001; z += dz * 0.001;
    out[i & 63] = x * x + y * y + z * z;
  }
  return x + y + z;
}

int execute@(const unsigned char *code, int length, long *stack) {
  int top = 0;
  for (int at = 0; at < length; ++at) {
    switch (code[at] % 12) {
      case 0: stack[top++ & 31] = at + @; break;
      case 1: stack[top & 31] += stack[(top + 31) & 31]; break;
      case 2: stack[top & 31] -= stack[(top + 30) & 31]; break;
      case 3: stack[top & 31] *= 3 + @; break;
      case 4: stack[top & 31] /= 7; break;
      case 5: if (stack[top & 31] > 0) at += code[at] & 3; break;
      case 6: top = (top + 31) & 31; break;
      case 7: stack[top & 31] ^= (long)code[at] << 17; break;
      case 8: stack[top & 31] = __builtin_popcountl((unsigned long)stack[top & 31]); break;
      case 9: for (int i = 0; i < 32; ++i) stack[i] = (stack[i] << 1) | (stack[i] < 0); break;
      case 10: return (int)stack[top & 31];
      default: ++top;
    }
  }
  return (int)stack[0];
}

int work@(int count) {
  static struct item@ pool[256];
  struct item@ *list = 0;
  double out[64] = {0};
  long stack[32] = {0};
  unsigned char code[256];
  for (int i = 0; i < count && i < 256; ++i) {
    pool[i].key = (i * 7919 + @) % 101;
    pool[i].weight = simulate@((unsigned)i, out);
    for (int j = 0; j < 24; ++j) pool[i].name[j] = (char)('a' + (i * j + @) % 26);
    code[i] = (unsigned char)(pool[i].key * 3);
    list = insert@(list, &pool[i]);
  }
  int sum = execute@(code, count, stack);
  for (struct item@ *i = list; i; i = i->next) sum = sum * 31 + i->key + (int)i->weight;
  return sum;
}
"""

groups = int(sys.argv[1])
print("".join(GROUP.replace("@", str(number)) for number in range(groups)))
print("int main(void) { return (" + " ^ ".join(f"work{number}(200)" for number in range(groups)) + ") & 127; }")
