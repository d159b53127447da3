// Runs the rows' commands in the guest, and natively. The host is at the other end of a serial line or of two pipes.
//
//   agent TTY     talks on a terminal, as process 1 of a guest
//   agent -       talks on its standard input and output
//
// A command finds the folder of the workloads in $B.
//
// In:  one command of sh a line; "@quit" ends (process 1 powers the machine off).
// Out: "@ready" once; then for each command "@begin TIME", "@done TIME" and "@end STATUS CHECKSUM": STATUS is the exit status,
//      CHECKSUM covers what the command printed. After "@done" of a command that failed come lines "@output TEXT".
#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { kMarkDescriptor = 9, kLongestCommand = 8192 };

static FILE *in, *out;

static void say(const char* line) {
  fprintf(out, "%s\n", line);
  fflush(out);
  tcdrain(fileno(out));  // no pipe needs it, none minds
}

static void mark(const char* word) {
  char line[64];
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  snprintf(line, sizeof line, "@%s %ld.%09ld", word, (long)now.tv_sec, now.tv_nsec);
  say(line);
}

static void open_terminal(const char* path) {
  const int tty = open(path, O_RDWR | O_NOCTTY);
  if (tty < 0) {
    perror(path);
    exit(1);
  }
  struct termios mode;
  tcgetattr(tty, &mode);
  cfmakeraw(&mode);
  cfsetspeed(&mode, B115200);
  tcsetattr(tty, TCSANOW, &mode);
  in = fdopen(tty, "r");
  out = fdopen(dup(tty), "w");
}

static void child(const char* command, const char* output) {
  const int console = fileno(out);
  const int file = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const int null = open("/dev/null", O_RDONLY);
  if (file < 0 || null < 0) _exit(126);
  dup2(console, kMarkDescriptor);
  dup2(null, 0);
  dup2(file, 1);
  dup2(file, 2);
  close(file);
  close(null);
  execl("/bin/sh", "sh", "-c", command, (char*)0);
  _exit(127);
}

static uint64_t checksum(const char* path) {
  uint64_t hash = 0xcbf29ce484222325u;
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  for (int byte; (byte = getc(file)) != EOF;) hash = (hash ^ (uint64_t)byte) * 0x100000001b3u;
  fclose(file);
  return hash;
}

static void show_tail(const char* path) {
  char text[1200];
  FILE* file = fopen(path, "r");
  if (!file) return;
  fseek(file, 0, SEEK_END);
  const long size = ftell(file), from = size > 1000 ? size - 1000 : 0;
  fseek(file, from, SEEK_SET);
  while (fgets(text, sizeof text, file)) {
    text[strcspn(text, "\n")] = 0;
    for (char* c = text; *c; ++c)
      if (!isprint((unsigned char)*c)) *c = '.';
    fprintf(out, "@output %s\n", text);
  }
  fclose(file);
}

static int run(const char* command, const char* output) {
  const pid_t pid = fork();
  if (pid == 0) child(command, output);
  int status = -1;
  for (pid_t ended; (ended = wait(&status)) != pid;)  // process 1 inherits the orphans of its commands
    if (ended < 0) return 255;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void name_folder(const char* program) {
  char* folder = strdup(program);
  char* slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  setenv("B", slash ? folder : ".", 1);
}

static void serve(const char* output) {
  char command[kLongestCommand], line[64];
  say("@ready");
  while (fgets(command, sizeof command, in)) {
    command[strcspn(command, "\r\n")] = 0;
    if (!command[0]) continue;
    if (strcmp(command, "@quit") == 0) return;
    mark("begin");
    const int status = run(command, output);
    mark("done");  // the time that the checksum takes is not the row's
    if (status) show_tail(output);
    snprintf(line, sizeof line, "@end %d %016llx", status, (unsigned long long)checksum(output));
    say(line);
  }
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (strcmp(argv[1], "-") == 0) {
    in = stdin;
    out = stdout;
  } else {
    open_terminal(argv[1]);
  }
  name_folder(argv[0]);
  char output[64];
  snprintf(output, sizeof output, "/tmp/agent-%d.out", (int)getpid());
  serve(output);
  unlink(output);
  if (getpid() != 1) return 0;
  sync();
  reboot(RB_POWER_OFF);
  return 1;
}
