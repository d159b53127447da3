#include "failover/driver/file_arbiter.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/bytes.h"

namespace pollux::failover::driver {
namespace {

constexpr std::size_t kMaxFile = 4096;

std::string file_name_of(std::string machine) {
  for (char& c : machine) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') c = '_';
  }
  return machine.empty() ? "_" : machine;
}

// The first line of a file; false: it cannot be read.
bool read_line(int directory, const std::string& name, std::string& line) {
  Descriptor fd(::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  line.resize(kMaxFile);
  const ssize_t count = ::pread(fd.get(), line.data(), line.size(), 0);
  line.resize(count > 0 ? std::size_t(count) : 0);
  line.resize(std::min(line.size(), line.find('\n')));
  return count >= 0;
}

bool write_durably(int directory, const std::string& name, const std::string& content) {
  Descriptor fd(::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return false;
  return ::write(fd.get(), content.data(), content.size()) == ssize_t(content.size()) && ::fsync(fd.get()) == 0;
}

std::string now_text() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char text[64];
  ::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

}  // namespace

std::string make_claimant() {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  u64 number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) number = u64(::time(nullptr)) << 20;
  char tail[32];
  std::snprintf(tail, sizeof tail, "%016llx", static_cast<unsigned long long>(number));
  return std::string("host ") + host + ", process " + std::to_string(::getpid()) + ", started " + now_text() + ", " + tail;
}

Result<std::unique_ptr<FileArbiter>> FileArbiter::open(const std::string& directory, const std::string& machine) {
  Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    return fail(ErrorKind::kEnvironment, "the arbiter directory " + directory + " cannot be opened (" +
                                             std::strerror(errno) + "): make it on storage that both hosts share");
  }
  if (::faccessat(fd.get(), ".", W_OK | X_OK, 0) != 0) {
    return fail(ErrorKind::kEnvironment, "the arbiter directory " + directory + " cannot be written: check its permissions");
  }
  return std::unique_ptr<FileArbiter>(new FileArbiter(std::move(fd), directory, file_name_of(machine)));
}

std::string FileArbiter::file(Generation generation) const {
  return machine_ + ".generation." + std::to_string(generation.value);
}

Result<Generation> FileArbiter::newest() const {
  const int copy = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
  if (!entries) {
    if (copy >= 0) ::close(copy);
    return fail(ErrorKind::kEnvironment, "the arbiter directory " + shown_ + " cannot be read: " + std::strerror(errno));
  }
  const std::string prefix = machine_ + ".generation.";
  Generation newest;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix)) continue;
    const std::string_view digits = name.substr(prefix.size());
    u64 number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size()) newest = std::max(newest, Generation(number));
  }
  ::closedir(entries);
  return newest;
}

std::string FileArbiter::winner(Generation generation) const {
  std::string line;
  return read_line(directory_.get(), file(generation), line) ? line : std::string();
}

ArbiterAnswer FileArbiter::claim(Generation generation, std::string_view claimant) {
  const Result<Generation> highest = newest();
  if (!highest) return ArbiterAnswer::kUnreachable;
  const std::string name = file(generation);
  std::string line;
  if (*highest >= generation) {
    if (read_line(directory_.get(), name, line)) return line == claimant ? ArbiterAnswer::kWon : ArbiterAnswer::kLost;
    if (errno != ENOENT) return ArbiterAnswer::kUnreachable;
    return ArbiterAnswer::kLost;  // a newer one was won; this one is not to be had any more
  }
  char random[20];
  u64 number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) return ArbiterAnswer::kUnreachable;
  std::snprintf(random, sizeof random, "%016llx", static_cast<unsigned long long>(number));
  const std::string own = machine_ + ".claim." + random;
  const std::string content = std::string(claimant) + "\nat " + now_text() + "\n";
  if (!write_durably(directory_.get(), own, content)) {
    ::unlinkat(directory_.get(), own.c_str(), 0);
    return ArbiterAnswer::kUnreachable;
  }
  // Its answer is not looked at: on NFS it may be lost on the way. The file says who won.
  [[maybe_unused]] const int linked = ::linkat(directory_.get(), own.c_str(), directory_.get(), name.c_str(), 0);
  ::unlinkat(directory_.get(), own.c_str(), 0);
  if (!read_line(directory_.get(), name, line)) return ArbiterAnswer::kUnreachable;
  if (line != claimant) return ArbiterAnswer::kLost;
  return ::fsync(directory_.get()) == 0 ? ArbiterAnswer::kWon : ArbiterAnswer::kUnreachable;
}

Result<void> FileArbiter::lock_members(short type) {
  const std::string name = machine_ + ".members";
  if (!members_) members_ = Descriptor(::openat(directory_.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!members_) {
    return fail(ErrorKind::kEnvironment, "the file " + shown_ + "/" + name + " cannot be opened: " + std::strerror(errno));
  }
  struct flock whole{};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  if (::fcntl(members_.get(), F_OFD_SETLK, &whole) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    const Result<Generation> generation = newest();
    const std::string by = generation ? winner(*generation) : std::string();
    return fail(ErrorKind::kEnvironment, "the machine '" + machine_ + "' runs already" + (by.empty() ? "" : " (" + by + ")") +
                                             ": stop it first, or give this one another --name");
  }
  return fail(ErrorKind::kEnvironment, "the arbiter directory " + shown_ + " does not support file locks: " + std::strerror(errno));
}

Result<Generation> FileArbiter::begin(std::string_view claimant) {
  if (auto alone = lock_members(F_WRLCK); !alone) return pass(alone);
  const Result<Generation> highest = newest();
  if (!highest) return highest;
  const Generation next = *highest + 1;
  if (claim(next, claimant) != ArbiterAnswer::kWon) {
    return fail(ErrorKind::kEnvironment, "generation " + std::to_string(next.value) + " of machine '" + machine_ +
                                             "' cannot be won in " + shown_ + ": somebody else starts it, or the storage fails");
  }
  if (auto shared = lock_members(F_RDLCK); !shared) return pass(shared);
  return next;
}

Result<void> FileArbiter::join() { return lock_members(F_RDLCK); }

}  // namespace pollux::failover::driver
