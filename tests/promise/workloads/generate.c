// Text that looks like text, the same every time: lines of words from a small vocabulary. SIZE in units of 64 KiB.
#include "mark.h"

int main(int argc, char** argv) {
  static const char* const kWords[] = {"machine", "input",  "the",    "of",     "log",  "replay", "position", "output",
                                       "a",       "backup", "primary", "gate",  "mark", "and",    "is",       "channel",
                                       "in",      "disk",   "page",   "word",   "to",   "frame",  "instant",  "lease"};
  const long bytes = size_from(argc, argv) << 16;
  uint64_t seed = 88172645463325252u;
  long written = 0, column = 0;
  while (written < bytes) {
    char piece[32];
    const uint64_t random = next_random(&seed);
    int length = snprintf(piece, sizeof piece, random % 11 ? "%s" : "%s%u", kWords[(random >> 8) % 24],
                          (unsigned)(random >> 40));
    column += length + 1;
    piece[length++] = column > 70 ? '\n' : ' ';
    if (column > 70) column = 0;
    if (length > bytes - written) length = (int)(bytes - written);
    fwrite(piece, 1, (size_t)length, stdout);
    written += length;
  }
  return fflush(stdout) != 0;
}
