// `pollux key`: a cluster key.

#include <sys/random.h>

#include <cstddef>

#include "api/commands.h"
#include "host/file.h"

namespace pollux::api {

namespace {
constexpr std::size_t kKeyBytes = 32;
}  // namespace

Result<void> make_key(const std::string& path) {
  unsigned char raw[kKeyBytes];
  if (getrandom(raw, sizeof raw, 0) != static_cast<ssize_t>(sizeof raw)) {
    return fail(ErrorKind::kEnvironment, "the host gives no random bytes for a key");
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : raw) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  text += '\n';
  auto created = host::create_file(path, as_bytes(text), 0600);
  if (!created) return pass(created);
  if (*created == host::Created::kExists) {
    return fail(ErrorKind::kEnvironment, "the key file " + path + " exists already; it is not overwritten");
  }
  return {};
}

}  // namespace pollux::api
