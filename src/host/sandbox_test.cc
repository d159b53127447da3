// Each in a child of its own, for a confined process stays so.
#include "host/sandbox.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "host/host_test_tools.h"
#include "host/linux_world.h"
#include "host/unix_socket.h"

namespace pollux::host {
namespace {

// The exit code of a child that runs the body: 0 when it is content.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool refused(long result) { return result == -1 && errno == EPERM; }

TEST(Sandbox, ForbidsProgramsMountsTracingAndRawSockets) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "builds with the address sanitizer are not confined";
#endif
  EXPECT_EQ(in_child([] {
              if (!confine()) return 1;
              char* const none[] = {nullptr};
              if (!refused(execve("/bin/true", none, none))) return 2;
              if (!refused(mount("none", "/mnt", "tmpfs", 0, nullptr))) return 3;
              if (!refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) return 4;
              if (!refused(socket(AF_PACKET, SOCK_RAW, 0))) return 5;
              if (!refused(setuid(0)) && getuid() != 0) return 6;
              return 0;
            }),
            0);
}

TEST(Sandbox, AMachinesWorldGoesOnInside) {
  TemporaryFolder folder;
  std::ofstream(folder / "disk") << std::string(8192, 'x');
  EXPECT_EQ(in_child([&] {
              std::optional<UnixListener> listener(*UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch"));
              LinuxWorldOptions options;
              options.console = "none";
              options.disks = {*DiskFile::open(folder / "disk", DiskFile::Access::kReadWrite)};
              options.nics = {{NicOptions::Kind::kSwitch, folder / "switch"}};
              options.operator_line = [](const std::string&) {};
              auto world = LinuxWorld::create(std::move(options));
              if (!world) return 1;
              if (!confine()) return 2;
              Arrivals arrivals(**world);
              using enum door::DiskOperation;
              u64 request = 0;
              for (auto operation : {kWrite, kFlush, kWriteZeroes, kDiscard, kRead}) {
                (*world)->perform(door::DiskOutput{0, ++request, operation, 0, 4096,
                                                   operation == kWrite ? Bytes(4096) : Bytes()});
                const auto done = arrivals.await<door::DiskCompletionInput>();
                if (done.status != door::DiskStatus::kOk && operation != kDiscard) return 10 + int(operation);
              }
              listener.reset();  // with it the connection that it had not accepted
              if (arrivals.await<door::LinkInput>().up) return 3;
              listener.emplace(*UnixListener::create(folder / "switch", SOCK_SEQPACKET, "the switch"));
              if (!arrivals.await<door::LinkInput>().up) return 4;
              bool ran = false;
              std::thread([&] { ran = true; }).join();
              std::ofstream(folder / "later") << "file";
              world->reset();
              return ran && std::ifstream(folder / "later").good() ? 0 : 5;
            }),
            0);
}

TEST(Sandbox, ChildrenOfTheTestStillRunPrograms) {
  EXPECT_EQ(in_child([] { return system("true"); }), 0);
}

}  // namespace
}  // namespace pollux::host
