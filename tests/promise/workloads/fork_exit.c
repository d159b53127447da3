// A child that ends at once, and the wait for it. SIZE in children.
#include "mark.h"

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  uint64_t hash = 0;
  start();
  for (long i = 0; i < n; ++i) {
    const pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit((int)(i & 63));
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    hash = mix(hash, (uint64_t)WEXITSTATUS(status));
  }
  stop();
  return result(hash);
}
