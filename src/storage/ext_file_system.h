// Reads files out of an ext2, ext3 or ext4 file system inside a disk image, without mounting it. Never writes: an
// unfinished journal is left for the guest.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::storage {

class ExtFileSystem {
 public:
  // The file system that begins at offset of the image.
  static Result<ExtFileSystem> open(const std::string& image, u64 offset);

  ExtFileSystem(ExtFileSystem&&) noexcept;
  ExtFileSystem& operator=(ExtFileSystem&&) noexcept;
  ~ExtFileSystem();

  u64 size_bytes() const;  // as its superblock says; the image may be shorter

  // Paths are absolute; symbolic links inside the file system are followed.
  bool exists(const std::string& path) const;
  Result<Bytes> read_file(const std::string& path, u64 max_bytes) const;
  std::vector<std::string> list(const std::string& folder) const;  // names; empty when there is no such folder
  // Where a symbolic link points, as written; nothing when path is none.
  std::optional<std::string> link_target(const std::string& path) const;

 private:
  struct Handle;
  explicit ExtFileSystem(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace pollux::storage
