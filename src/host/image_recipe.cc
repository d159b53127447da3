#include "host/image_recipe.h"

#include <algorithm>
#include <optional>

#include "host/subprocess.h"

namespace pollux::host {

namespace {

constexpr const char* kScriptBegins = "pollux: the script begins";
constexpr const char* kScriptFailed = "pollux: the script failed";

// Before the kernel is installed, so that its initial RAM disk is made right the first time: only the drivers of our
// machine's hardware, as "MODULES=most" takes a guest seconds to unpack.
constexpr const char* kBeforePackages = R"SH(set -e
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/pollux"
printf '%s\n' virtio_pci virtio_blk virtio_net virtio_scsi virtio_console virtio_rng ext4 \
  > "$1/usr/share/initramfs-tools/modules.d/pollux"
# Its maker looks here for which file system checkers to take along.
echo '/dev/vda / ext4 errors=remount-ro 0 1' > "$1/etc/fstab"
)SH";

constexpr const char* kAfterPackages = R"SH(set -e
echo pollux > "$1/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 pollux\n::1 localhost ip6-localhost\n' > "$1/etc/hosts"
echo root:root | chroot "$1" chpasswd
if [ -d "$1/etc/systemd" ]; then
  mkdir -p "$1/etc/systemd/network"
  printf '[Match]\nType=ether\n\n[Network]\nDHCP=yes\n' > "$1/etc/systemd/network/80-dhcp.network"
  chroot "$1" systemctl enable systemd-networkd >/dev/null 2>&1 || true
fi
)SH";

std::string run_script(const std::string& text) {
  return "set -e\n"
         "printf %s " + shell_quote(text) + " > \"$1/tmp/pollux-script\"\n"
         "chmod 755 \"$1/tmp/pollux-script\"\n"
         "echo '" + std::string(kScriptBegins) + "'\n"
         "chroot \"$1\" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 /tmp/pollux-script || {"
         " echo '" + std::string(kScriptFailed) + "'; exit 1; }\n"
         "rm -f \"$1/tmp/pollux-script\"\n";
}

std::string join(const std::vector<std::string>& words, char separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : std::string(1, separator)) + word;
  return out;
}

// The line of the output that holds the text, or nothing.
std::string line_with(const std::string& output, const std::string& text) {
  const auto at = output.rfind(text);
  if (at == std::string::npos) return "";
  const auto begin = output.rfind('\n', at);
  const auto from = begin == std::string::npos ? 0 : begin + 1;
  return output.substr(from, output.find('\n', at) - from);
}

// What a failed script said itself: between the two marks. Each mark is a line of its own; mmdebstrap also repeats the
// text of the hook that writes them. Nothing: no script has failed.
std::optional<std::string> said_by_script(const std::string& output) {
  const auto end = output.find("\n" + std::string(kScriptFailed) + "\n");
  if (end == std::string::npos) return {};
  const std::string begins = "\n" + std::string(kScriptBegins) + "\n";
  const auto begin = output.rfind(begins, end);
  const auto from = begin == std::string::npos ? 0 : std::min(begin + begins.size(), end);
  return output.substr(from, end - from);
}

// mmdebstrap's first error is the cause; those after it say that it gives up.
std::string first_error(const std::string& output) {
  const std::string text = "\n" + output;
  const auto at = text.find("\nE: ");
  return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

std::string last_line(const std::string& output) {
  std::string rest = output;
  while (!rest.empty()) {
    while (rest.ends_with('\n') || rest.ends_with('\r')) rest.pop_back();
    const auto begin = rest.rfind('\n');
    const std::string line = begin == std::string::npos ? rest : rest.substr(begin + 1);
    // mmdebstrap ends with its cleaning up.
    if (!line.starts_with("I: ") && !line.empty()) return line;
    rest.resize(begin == std::string::npos ? 0 : begin);
  }
  return "it said nothing";
}

bool says(const std::string& output, std::initializer_list<const char*> texts) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const char* text) { return output.find(text) != std::string::npos; });
}

}  // namespace

std::vector<std::string> packages(const ImageRequest& request) {
  std::vector<std::string> all = {"systemd-sysv", "udev",  "dbus",   "systemd-resolved",
                                  "kmod",         "login", "passwd", "iproute2",         "e2fsprogs"};
  const auto names = [&](auto matches) { return std::any_of(request.include.begin(), request.include.end(), matches); };
  if (!names([](const std::string& name) { return name.starts_with("linux-image-"); }))
    all.push_back("linux-image-cloud-amd64");
  if (!names([](const std::string& name) { return name == "tiny-initramfs" || name == "dracut"; }))
    all.insert(all.end(), {"initramfs-tools", "zstd"});
  all.insert(all.end(), request.include.begin(), request.include.end());
  return all;
}

std::vector<std::string> debootstrap_command(const ImageRequest& request, const std::string& script_text,
                                             const std::string& tar) {
  std::vector<std::string> words = {"mmdebstrap",
                                    "--variant=minbase",
                                    "--format=tar",
                                    "--include=" + join(packages(request), ','),
                                    "--essential-hook=" + std::string(kBeforePackages),
                                    "--customize-hook=" + std::string(kAfterPackages)};
  if (!script_text.empty()) words.push_back("--customize-hook=" + run_script(script_text));
  words.insert(words.end(), {request.suite, tar});
  return words;
}

std::vector<std::string> file_system_command(const ImageRequest& request, const std::string& tar,
                                             const std::string& work_folder, bool as_root) {
  // Device nodes are left out: the guest's kernel makes them, and a user namespace could not. The tables are written
  // now, sparsely; the guest would do it in the background of its first minutes.
  const std::string tree = shell_quote(work_folder + "/root");
  const std::string commands =
      "set -e\n"
      "mkdir -p " + tree + "\n"
      "tar --extract --numeric-owner --exclude='./dev/*' --directory=" + tree + " --file=" + shell_quote(tar) + "\n"
      "rm -f " + shell_quote(tar) + "\n"
      "status=0\n"
      "mke2fs -q -F -t ext4 -m 1 -E lazy_itable_init=0,lazy_journal_init=0 -d " + tree + " " +
      shell_quote(work_folder + "/image") + " " + std::to_string(request.size_bytes >> 10) + "k || status=$?\n"
      "rm -rf " + tree + "\n"
      "exit $status\n";
  if (as_root) return {"sh", "-c", commands};
  return {"unshare", "--user", "--map-root-user", "--map-auto", "sh", "-c", commands};
}

Error explain_failure(const ImageRequest& request, const std::string& program, const std::string& output) {
  const auto environment = [](std::string sentence) { return Error{ErrorKind::kEnvironment, std::move(sentence)}; };
  if (const auto said = said_by_script(output)) {
    return environment("the script " + request.script + " failed inside the new system: " + last_line(*said));
  }
  if (says(output, {"Could not allocate block", "Could not allocate inode", "too small to hold", "will not fit",
                    "ext2fs_write_dir_block: No space"}) ||
      (program == "mke2fs" && says(output, {"while populating file system"}) &&
       !says(output, {"No space left on device"})))
    return environment("the packages do not fit into the image: give it more room with --size");
  if (says(output, {"No space left on device", "not have enough free space", "Disk quota exceeded"}))
    return environment("there is no space left while building " + request.out +
                       ": about twice the image's contents are needed beside it and in TMPDIR");
  if (const std::string line = line_with(output, "Unable to locate package "); !line.empty())
    return {ErrorKind::kUsage, "Debian " + request.suite + " has no package " + line.substr(line.rfind(' ') + 1) +
                                   ": check the names given with --include"};
  if (says(output, {"does not have a Release file"}))
    return {ErrorKind::kUsage, "there is no Debian release named " + request.suite + ": check --suite"};
  if (says(output, {"Temporary failure resolving", "Could not resolve", "Could not connect", "Connection failed",
                    "Unable to connect", "Connection timed out", "Network is unreachable", "Failed to fetch"}))
    return environment("the Debian mirror cannot be reached: check the network (and http_proxy, where one is needed)");
  if (says(output, {"E: invalid suite", "unknown suite", "is unknown"}) && says(output, {request.suite.c_str()}))
    return {ErrorKind::kUsage, "there is no Debian release named " + request.suite + ": check --suite"};
  if (says(output, {"newuidmap", "/etc/subuid", "unshare failed", "kernel.unprivileged_userns_clone"}))
    return environment("an image cannot be built without root on this host: install uidmap, give this user a line in "
                       "/etc/subuid and /etc/subgid, or build as root");
  const std::string error = first_error(output);
  return environment(program + " failed: " + (error.empty() ? last_line(output) : error));
}

}  // namespace pollux::host
