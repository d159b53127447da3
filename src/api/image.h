// `pollux image build`: a Debian guest's disk image.
#pragma once

#include <string>
#include <vector>

#include "base/integers.h"
#include "base/result.h"

namespace pollux::api {

struct ImageOptions {
  std::string out;
  std::string suite = "bookworm";
  std::vector<std::string> include;  // packages besides those that every guest needs
  u64 size_bytes = u64{2} << 30;
  std::string script;  // run inside the new system at the end; empty: none
};

Result<void> build_image(const ImageOptions& options);

}  // namespace pollux::api
