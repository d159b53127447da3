#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pollux {

void check_failed(const char* condition, const char* file, int line, const char* why) {
  std::fprintf(stderr, "pollux: internal error: %s (%s, %s:%d)\n", why, condition, file, line);
  std::abort();
}

}  // namespace pollux
