#include "storage/kernel_finder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "storage/ext_file_system.h"
#include "storage/partition_table.h"

namespace pollux::storage {

namespace {

constexpr u64 kKernelLimit = u64{256} << 20;
constexpr u64 kInitrdLimit = u64{1} << 30;
constexpr std::string_view kKernelPrefix = "vmlinuz-";

// The image's bytes, for what libext2fs does not read.
class ImageFile {
 public:
  explicit ImageFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), error_(errno) {}
  ~ImageFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;
  bool opened() const { return fd_ >= 0; }
  int error() const { return error_; }
  u64 size_bytes() const { return u64(std::max<off_t>(::lseek(fd_, 0, SEEK_END), 0)); }
  bool read(u64 offset, std::span<std::byte> bytes) const {
    return ::pread(fd_, bytes.data(), bytes.size(), off_t(offset)) == ssize_t(bytes.size());
  }
  bool matches(u64 offset, std::string_view text) const {
    Bytes bytes(text.size());
    return read(offset, bytes) && as_text(bytes) == text;
  }

 private:
  int fd_;
  int error_;
};

bool is_ext(const ImageFile& file, u64 offset) { return file.matches(offset + 1024 + 56, "\x53\xef"); }

// The name of what is there instead, for the sentence.
std::string describe(const ImageFile& file, u64 offset) {
  if (file.matches(offset, "XFSB")) return "XFS";
  if (file.matches(offset + 0x10040, "_BHRfS_M")) return "btrfs";
  if (file.matches(offset + 512, "LABELONE")) return "an LVM volume";
  if (file.matches(offset, std::string_view("LUKS\xba\xbe", 6))) return "an encrypted volume";
  if (file.matches(offset + 0x36, "FAT") || file.matches(offset + 0x52, "FAT32")) return "FAT";
  if (file.matches(offset + 3, "NTFS")) return "NTFS";
  if (file.matches(offset, "hsqs")) return "squashfs";
  if (file.matches(offset, "QFI\xfb")) return "a qcow2 image, which must be converted to raw";
  if (file.matches(offset + 4086, "SWAPSPACE2")) return "swap";
  return "";
}

struct Volume {
  ExtFileSystem files;
  std::string device;
};

struct KernelPath {
  std::string folder;  // ends in a slash
  std::string kernel;  // the whole path
  std::string version;
};

std::string version_of(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.starts_with(kKernelPrefix) ? name.substr(kKernelPrefix.size()) : "";
}

std::optional<KernelPath> newest_in(const ExtFileSystem& files, const std::string& folder) {
  std::optional<std::string> best;
  for (const std::string& name : files.list(folder)) {
    if (!name.starts_with(kKernelPrefix) || name.find("rescue") != std::string::npos || name.ends_with(".bak")) continue;
    if (!best || compare_versions(version_of(name), version_of(*best)) > 0) best = name;
  }
  if (!best) return {};
  return KernelPath{folder, folder + *best, version_of(*best)};
}

std::optional<KernelPath> kernel_of_root(const ExtFileSystem& files) {
  for (const char* link : {"/vmlinuz", "/boot/vmlinuz"}) {
    if (!files.exists(link)) continue;
    return KernelPath{"/boot/", link, version_of(files.link_target(link).value_or(""))};
  }
  return newest_in(files, "/boot/");
}

std::string initrd_for(const ExtFileSystem& files, const KernelPath& kernel) {
  std::vector<std::string> names;
  if (!kernel.version.empty()) {
    names = {kernel.folder + "initrd.img-" + kernel.version, kernel.folder + "initramfs-" + kernel.version + ".img",
             kernel.folder + "initrd-" + kernel.version};
  }
  if (!kernel.kernel.ends_with("-" + kernel.version)) names.insert(names.end(), {"/initrd.img", "/boot/initrd.img"});
  for (const std::string& name : names)
    if (files.exists(name)) return name;
  return "";
}

Result<FoundKernel> read_kernel(const Volume& volume, const KernelPath& path, const std::string& root) {
  FoundKernel found;
  found.kernel_path = path.kernel;
  found.initrd_path = initrd_for(volume.files, path);
  found.root = root;
  auto kernel = volume.files.read_file(path.kernel, kKernelLimit);
  if (!kernel) return pass(kernel);
  found.kernel = std::move(*kernel);
  if (!found.initrd_path.empty()) {
    auto initrd = volume.files.read_file(found.initrd_path, kInitrdLimit);
    if (!initrd) return pass(initrd);
    found.initrd = std::move(*initrd);
  }
  return found;
}

bool is_root(const ExtFileSystem& files) {
  return files.exists("/etc") && (files.exists("/sbin") || files.exists("/usr/sbin"));
}

Result<FoundKernel> choose(const std::vector<Volume>& volumes, const std::string& image) {
  for (const Volume& volume : volumes)
    if (const auto path = kernel_of_root(volume.files)) return read_kernel(volume, *path, volume.device);
  for (const Volume& volume : volumes) {  // a partition of its own for /boot
    const auto path = newest_in(volume.files, "/");
    if (!path) continue;
    const auto root = std::find_if(volumes.begin(), volumes.end(), [](const Volume& v) { return is_root(v.files); });
    if (root == volumes.end())
      return fail(ErrorKind::kFormat, image + " holds a kernel but no root file system that can be read: name the "
                                              "kernel with --kernel and the root with --append root=");
    return read_kernel(volume, *path, root->device);
  }
  return fail(ErrorKind::kFormat, image + " holds no kernel (no /vmlinuz, nothing in /boot): install one in it, e.g. "
                                          "linux-image-cloud-amd64, or name one with --kernel");
}

std::unexpected<Error> cut_short(const std::string& image, u64 end, u64 size_bytes) {
  const auto mebibytes = [](u64 bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  return fail(ErrorKind::kFormat, "disk " + image + " is cut short: its file system ends at " + mebibytes(end) +
                                      " and the disk at " + mebibytes(size_bytes) + ": copy it again, whole");
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a[0]) && is_digit(b[0])) {
      const auto take = [&](std::string_view& text) {
        const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
        std::string_view number = text.substr(0, u64(end - text.begin()));
        text.remove_prefix(number.size());
        number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
        return number;
      };
      const std::string_view x = take(a), y = take(b);
      if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
      if (const int order = x.compare(y)) return order;
    } else {
      if (a[0] != b[0]) return a[0] == '~' ? -1 : b[0] == '~' ? 1 : a[0] < b[0] ? -1 : 1;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return int(!a.empty()) - int(!b.empty());
}

Result<FoundKernel> find_kernel(const std::string& image) {
  const ImageFile file(image);
  if (!file.opened()) {
    return fail(ErrorKind::kEnvironment, file.error() == ENOENT
                                             ? "the disk " + image + " does not exist: check the path given with --disk"
                                             : "the disk " + image + " cannot be opened: check its permissions");
  }
  std::vector<Partition> parts;
  const bool whole = is_ext(file, 0);
  if (whole) {
    parts.push_back({0, 0, 0});
  } else {
    parts = read_partitions([&](u64 offset, std::span<std::byte> bytes) { return file.read(offset, bytes); });
  }
  std::vector<Volume> volumes;
  std::string others;
  for (const Partition& part : parts) {
    if (!is_ext(file, part.offset)) {
      const std::string other = describe(file, part.offset);
      if (!other.empty()) others += (others.empty() ? "" : ", ") + other;
      continue;
    }
    auto files = ExtFileSystem::open(image, part.offset);
    if (!files) return pass(files);
    const u64 end = part.offset + files->size_bytes();
    if (end > file.size_bytes()) return cut_short(image, end, file.size_bytes());
    volumes.push_back({std::move(*files), part.number ? "/dev/vda" + std::to_string(part.number) : "/dev/vda"});
  }
  if (!volumes.empty()) return choose(volumes, image);
  if (parts.empty()) others = describe(file, 0);
  return fail(ErrorKind::kFormat, image + " holds no file system that can be read for a kernel" +
                                      (others.empty() ? "" : " (found: " + others + ")") +
                                      ": it must be ext2, ext3 or ext4, on the whole disk or in a partition; or name "
                                      "a kernel with --kernel");
}

}  // namespace pollux::storage
