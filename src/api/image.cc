#include "api/image.h"

#include <cstdio>

#include "host/image_builder.h"

namespace pollux::api {

Result<void> build_image(const ImageOptions& options) {
  host::ImageRequest request;
  request.out = options.out;
  request.suite = options.suite;
  request.include = options.include;
  request.size_bytes = options.size_bytes;
  request.script = options.script;
  return host::build_image(request, [](const std::string& line) { std::fprintf(stderr, "pollux: %s\n", line.c_str()); });
}

}  // namespace pollux::api
