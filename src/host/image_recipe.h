// What an image is built from, as text: the arguments of mmdebstrap and the shell commands that finish the system.
// Pure, so that it can be tested; host/image_builder.h runs it.
#pragma once

#include <string>
#include <vector>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::host {

struct ImageRequest {
  std::string out;
  std::string suite = "bookworm";
  std::vector<std::string> include;  // packages besides those that every guest gets
  u64 size_bytes = u64{2} << 30;
  std::string script;  // path of a script that runs inside the new system at the end; empty: none
};

inline constexpr u64 kSmallestImage = u64{256} << 20;

// What every guest gets: a kernel (the cloud kernel unless include names another linux-image), an initial RAM disk
// with the virtio drivers (by initramfs-tools, unless include names tiny-initramfs or dracut), systemd, DHCP on every Ethernet card, a login on the serial console.
std::vector<std::string> packages(const ImageRequest& request);

// The command that makes the system as a tar file. script_text: the script's contents.
std::vector<std::string> debootstrap_command(const ImageRequest& request, const std::string& script_text,
                                             const std::string& tar);

// The command that makes the file system image from the tar file, in work_folder (removed by the caller). as_root
// false: inside a user namespace, so that files belong to the guest's users.
std::vector<std::string> file_system_command(const ImageRequest& request, const std::string& tar,
                                             const std::string& work_folder, bool as_root);

// The sentence for a failed command, from what it said.
Error explain_failure(const ImageRequest& request, const std::string& program, const std::string& output);

}  // namespace pollux::host
