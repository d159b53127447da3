// One byte to another process and back, over two pipes. SIZE in round trips.
#include "mark.h"

int main(int argc, char** argv) {
  const long n = size_from(argc, argv);
  int there[2], back[2];
  check(pipe(there) == 0 && pipe(back) == 0, "pipe");
  const pid_t pid = fork();
  check(pid >= 0, "fork");
  if (pid == 0) {
    close(there[1]);
    for (unsigned char byte; read(there[0], &byte, 1) == 1;) {
      ++byte;
      if (write(back[1], &byte, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(there[0]);
  uint64_t hash = 0;
  start();
  for (long i = 0; i < n; ++i) {
    unsigned char byte = (unsigned char)i;
    check(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
    hash = mix(hash, byte);
  }
  stop();
  close(there[1]);
  waitpid(pid, 0, 0);
  return result(hash);
}
