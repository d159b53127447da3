#include "storage/ext_file_system.h"

extern "C" {  // com_err.h does not say so itself
#include <et/com_err.h>
}
#include <ext2fs/ext2fs.h>

#include <algorithm>

namespace pollux::storage {

struct ExtFileSystem::Handle {
  ext2_filsys fs = nullptr;
  ~Handle() {
    if (fs) ext2fs_close_free(&fs);
  }
  std::optional<ext2_ino_t> find(const std::string& path, bool follow) const {
    ext2_ino_t inode = 0;
    const auto look = follow ? ext2fs_namei_follow : ext2fs_namei;
    if (look(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path.c_str(), &inode)) return {};
    return inode;
  }
};

ExtFileSystem::ExtFileSystem(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
ExtFileSystem::ExtFileSystem(ExtFileSystem&&) noexcept = default;
ExtFileSystem& ExtFileSystem::operator=(ExtFileSystem&&) noexcept = default;
ExtFileSystem::~ExtFileSystem() = default;

Result<ExtFileSystem> ExtFileSystem::open(const std::string& image, u64 offset) {
  auto handle = std::make_unique<Handle>();
  const std::string options = "offset=" + std::to_string(offset);
  const errcode_t error = ext2fs_open2(image.c_str(), options.c_str(), EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES,
                                       0, 0, unix_io_manager, &handle->fs);
  if (error)
    return fail(ErrorKind::kFormat, "the ext4 file system in " + image + " cannot be read (" + error_message(error) +
                                        "): check it with e2fsck");
  return ExtFileSystem(std::move(handle));
}

u64 ExtFileSystem::size_bytes() const { return ext2fs_blocks_count(handle_->fs->super) * handle_->fs->blocksize; }

bool ExtFileSystem::exists(const std::string& path) const { return handle_->find(path, true).has_value(); }

Result<Bytes> ExtFileSystem::read_file(const std::string& path, u64 max_bytes) const {
  const auto inode = handle_->find(path, true);
  if (!inode) return fail(ErrorKind::kFormat, path + " does not exist inside the image");
  const auto unreadable = fail(ErrorKind::kFormat, path + " inside the image cannot be read: check it with e2fsck");
  ext2_file_t file = nullptr;
  if (ext2fs_file_open(handle_->fs, *inode, 0, &file)) return unreadable;
  const std::unique_ptr<ext2_file, decltype(&ext2fs_file_close)> closer(file, &ext2fs_file_close);
  __u64 size = 0;
  if (ext2fs_file_get_lsize(file, &size)) return unreadable;
  if (size > max_bytes) return fail(ErrorKind::kFormat, path + " inside the image is too large to be what it is named");
  Bytes bytes(size);
  for (u64 at = 0; at < size;) {
    unsigned got = 0;
    const unsigned want = unsigned(std::min<u64>(size - at, 1 << 20));
    if (ext2fs_file_read(file, bytes.data() + at, want, &got) || got == 0) return unreadable;
    at += got;
  }
  return bytes;
}

std::vector<std::string> ExtFileSystem::list(const std::string& folder) const {
  std::vector<std::string> names;
  const auto inode = handle_->find(folder, true);
  if (!inode) return names;
  ext2fs_dir_iterate(
      handle_->fs, *inode, 0, nullptr,
      [](ext2_dir_entry* entry, int, int, char*, void* context) {
        const auto length = unsigned(ext2fs_dirent_name_len(entry));
        static_cast<std::vector<std::string>*>(context)->emplace_back(entry->name, length);
        return 0;
      },
      &names);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> ExtFileSystem::link_target(const std::string& path) const {
  const auto number = handle_->find(path, false);
  ext2_inode inode{};
  if (!number || ext2fs_read_inode(handle_->fs, *number, &inode) || !LINUX_S_ISLNK(inode.i_mode)) return {};
  if (ext2fs_is_fast_symlink(&inode)) {
    const auto length = std::min<u64>(inode.i_size, sizeof inode.i_block);
    return std::string(reinterpret_cast<const char*>(inode.i_block), length);
  }
  ext2_file_t file = nullptr;
  if (ext2fs_file_open(handle_->fs, *number, 0, &file)) return {};
  std::string target(std::min<u64>(inode.i_size, 4096), 0);
  unsigned got = 0;
  const bool read = !ext2fs_file_read(file, target.data(), unsigned(target.size()), &got);
  ext2fs_file_close(file);
  if (!read) return {};
  target.resize(got);
  return target;
}

}  // namespace pollux::storage
