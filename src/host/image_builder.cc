#include "host/image_builder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "host/file.h"
#include "host/subprocess.h"
#include "host/system_error.h"

namespace pollux::host {

namespace fs = std::filesystem;

namespace {

constexpr u64 kLongestScript = 96 << 10;  // it travels as one argument of a command

// A folder beside the image, removed with all that is in it.
class WorkFolder {
 public:
  static Result<WorkFolder> make(const std::string& out) {
    std::string pattern = out + ".build-XXXXXX";
    if (!::mkdtemp(pattern.data()))
      return system_fail("the image " + out + " cannot be made", errno, "check that its folder exists and can be written");
    // mmdebstrap may work as another user of this user's namespace.
    ::chmod(pattern.c_str(), 0755);
    return WorkFolder(fs::absolute(pattern));
  }
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string path(const std::string& name = "") const { return name.empty() ? path_.string() : (path_ / name).string(); }

 private:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Result<void> check_programs(bool as_root) {
  struct Need {
    const char* program;
    const char* package;
  };
  std::vector<Need> needs = {{"mmdebstrap", "mmdebstrap"}, {"mke2fs", "e2fsprogs"}, {"tar", "tar"}};
  if (!as_root) needs.insert(needs.end(), {{"newuidmap", "uidmap"}, {"unshare", "util-linux"}});
  std::string missing;
  for (const Need& need : needs)
    if (!find_program(need.program)) missing += std::string(" ") + need.package;
  if (missing.empty()) return {};
  return fail(ErrorKind::kEnvironment, "building an image needs programs that are not installed: apt-get install" + missing);
}

Result<std::string> read_script(const std::string& path) {
  if (path.empty()) return std::string();
  auto bytes = read_file(path, "the script", kLongestScript);
  if (!bytes) return pass(bytes);
  const std::string text(as_text(*bytes));
  if (!text.starts_with("#!"))
    return fail(ErrorKind::kUsage, "the script " + path + " does not begin with #!: say what runs it, e.g. #!/bin/sh");
  return text;
}

Result<void> run_step(const ImageRequest& request, const std::string& program, const std::vector<std::string>& words,
                      const Progress& progress) {
  const auto tell = [&](const std::string& line) {
    const bool is_stage = line.starts_with("I: downloading") || line.starts_with("I: installing");
    if (progress && is_stage) progress(line.substr(3));
  };
  auto done = run_subprocess({words, tell});
  if (!done) return pass(done);
  if (done->ok()) return {};
  return std::unexpected(explain_failure(request, program, done->output));
}

}  // namespace

Result<void> build_image(const ImageRequest& request, const Progress& progress) {
  const bool as_root = ::geteuid() == 0;
  if (request.size_bytes < kSmallestImage)
    return fail(ErrorKind::kUsage, "an image of a Debian guest needs at least 256M: give a larger --size");
  auto script = read_script(request.script);
  if (!script) return pass(script);
  if (auto checked = check_programs(as_root); !checked) return checked;
  auto work = WorkFolder::make(request.out);
  if (!work) return pass(work);

  const std::string tar = work->path("root.tar");
  const auto say = [&](const std::string& line) {
    if (progress) progress(line);
  };
  say("installing Debian " + request.suite + " (" + std::to_string(packages(request).size()) + " packages and what they need)");
  if (auto done = run_step(request, "mmdebstrap", debootstrap_command(request, *script, tar), progress); !done)
    return done;
  say("making the file system");
  if (auto done = run_step(request, "mke2fs", file_system_command(request, tar, work->path(), as_root), progress); !done)
    return done;
  if (::rename(work->path("image").c_str(), request.out.c_str()) != 0)
    return system_fail("the image cannot be put at " + request.out, errno, "check the folder's permissions");
  return {};
}

}  // namespace pollux::host
