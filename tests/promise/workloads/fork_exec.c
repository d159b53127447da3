// A child that becomes this program again and ends at once, and the wait for it. SIZE in children.
#include "mark.h"

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "child") == 0) return atoi(argv[2]);
  const long n = size_from(argc, argv);
  uint64_t hash = 0;
  start();
  for (long i = 0; i < n; ++i) {
    char code[8];
    snprintf(code, sizeof code, "%d", (int)(i & 63));
    const pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
      execl(argv[0], argv[0], "child", code, (char*)0);
      _exit(127);
    }
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    hash = mix(hash, (uint64_t)WEXITSTATUS(status));
  }
  stop();
  return result(hash);
}
