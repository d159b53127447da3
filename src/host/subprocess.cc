#include "host/subprocess.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "host/fd.h"
#include "host/system_error.h"

extern char** environ;

namespace pollux::host {

namespace {

constexpr std::size_t kKeptOutput = 256 << 10;

class Lines {
 public:
  explicit Lines(const std::function<void(const std::string&)>& on_line) : on_line_(on_line) {}
  void add(std::string_view text) {
    output_ += text;
    if (output_.size() > 2 * kKeptOutput) output_.erase(0, output_.size() - kKeptOutput);
    for (const char c : text) {
      if (c != '\n' && c != '\r') {
        line_ += c;
      } else {
        flush();
      }
    }
  }
  std::string finish() {
    flush();
    if (output_.size() > kKeptOutput) output_.erase(0, output_.size() - kKeptOutput);
    return std::move(output_);
  }

 private:
  void flush() {
    if (!line_.empty() && on_line_) on_line_(line_);
    line_.clear();
  }
  const std::function<void(const std::string&)>& on_line_;
  std::string output_, line_;
};

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// The child's environment: with the system folders at the end of PATH.
std::vector<std::string> child_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("PATH=") && !text.starts_with("LC_ALL=")) out.emplace_back(text);
  }
  const char* path = std::getenv("PATH");
  out.push_back(std::string("PATH=") + (path ? path : "/usr/bin:/bin") + ":/usr/sbin:/sbin");
  out.push_back("LC_ALL=C.UTF-8");  // messages are read by programs
  return out;
}

}  // namespace

Result<Finished> run_subprocess(const Subprocess& subprocess) {
  const std::string& name = subprocess.words.at(0);
  const auto program = find_program(name);
  if (!program) return fail(ErrorKind::kEnvironment, "the program " + name + " is not installed");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_fail(name + " cannot be started", errno, "try again");
  const Fd from(ends[0]);
  Fd to(ends[1]);

  std::vector<char*> arguments;
  for (const std::string& word : subprocess.words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::vector<std::string> environment = child_environment();
  std::vector<char*> variables;
  for (const std::string& entry : environment) variables.push_back(const_cast<char*>(entry.c_str()));
  variables.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, to.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, to.get(), 2);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, program->c_str(), &actions, nullptr, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error) return system_fail(name + " cannot be started", error, "check its permissions");
  to.reset();

  Lines lines(subprocess.on_line);
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    lines.add({buffer.data(), std::size_t(got)});
  }
  Finished finished;
  finished.exit_code = wait_for(child);
  finished.output = lines.finish();
  return finished;
}

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  const std::string folders = std::string(path ? path : "/usr/bin:/bin") + ":/usr/sbin:/sbin";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string candidate = folders.substr(at, end - at) + "/" + name;
    if (end > at && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return {};
}

std::string shell_quote(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace pollux::host
