// The cheapest system call there is. SIZE in thousands of calls.
#include <sys/syscall.h>

#include "mark.h"

int main(int argc, char** argv) {
  const long n = size_from(argc, argv) * 1000;
  const long parent = getppid();
  uint64_t same = 0;
  start();
  for (long i = 0; i < n; ++i) same += syscall(SYS_getppid) == parent;
  stop();
  return result(same);
}
