// Finds the kernel inside a disk image, as a boot loader would: in a whole-disk ext2/3/4 file system, or in the
// partitions (MBR or GPT) that hold one. Used when no kernel is named on the command line.
//
// Order: what /vmlinuz or /boot/vmlinuz point to (Debian keeps them on the newest kernel), else the highest version
// in /boot, else the highest version in the root of a partition of its own for /boot. The initrd is the one of the
// same version. Boot loader configuration is not read.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace pollux::storage {

struct FoundKernel {
  Bytes kernel;
  Bytes initrd;  // empty: there is none
  std::string kernel_path;  // inside its file system
  std::string initrd_path;
  std::string root;  // for root=, when the image is the first virtio disk: /dev/vda or /dev/vda<partition>
};

// Fails with a sentence when the image cannot be read, holds no file system that can be read, or no kernel.
Result<FoundKernel> find_kernel(const std::string& image);

// The order of kernel versions: numbers in them compare as numbers. Negative, zero or positive.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace pollux::storage
