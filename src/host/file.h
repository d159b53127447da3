// Whole files: read, and written so that a crash leaves the old contents or the new, never a mixture.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::host {

// what: names the file in sentences, e.g. "the kernel". Fails when it is missing, a folder, or larger than max_bytes.
Result<Bytes> read_file(const std::string& path, const std::string& what, u64 max_bytes = u64{1} << 31);

// Replaces the file (write beside it, fsync, rename, fsync of the folder).
Result<void> write_file_atomically(const std::string& path, ByteSpan bytes, mode_t mode = 0644);

// Makes the file, which must not exist (one atomic step, also on NFS): kExists when it did.
enum class Created { kNew, kExists };
Result<Created> create_file(const std::string& path, ByteSpan bytes, mode_t mode = 0644);

// Writes all of the bytes to a descriptor; 0 or an errno.
int write_all(int fd, ByteSpan bytes);

}  // namespace pollux::host
