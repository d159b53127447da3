// `pollux certificate`: a small authority and what it signs, as files.

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "api/commands.h"
#include "failover/driver/certificate_maker.h"
#include "host/file.h"

namespace pollux::api {

namespace {

using failover::driver::Credentials;

constexpr u64 kLongestFile = 1 << 20;

struct Files {
  std::string certificate, private_key;
  Files(const std::string& folder, const std::string& name)
      : certificate(folder + "/" + name + ".pem"), private_key(folder + "/" + name + ".key") {}
};

Result<void> write_new(const std::string& path, const std::string& text, mode_t mode) {
  auto created = host::create_file(path, as_bytes(text), mode);
  if (!created) return pass(created);
  if (*created == host::Created::kExists) {
    return fail(ErrorKind::kEnvironment, path + " exists already; it is not overwritten");
  }
  return {};
}

// The key first: a certificate without its key would be taken for somebody else's authority.
Result<void> write_pair(const Files& files, const Credentials& made) {
  if (auto done = write_new(files.private_key, made.private_key, 0600); !done) return done;
  return write_new(files.certificate, made.certificate, 0644);
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

Result<Credentials> authority_in(const std::string& folder) {
  const Files files(folder, "ca");
  if (!exists(files.certificate) && !exists(files.private_key)) {
    auto made = failover::driver::make_authority("Pollux cluster");
    if (!made) return pass(made);
    if (auto done = write_pair(files, *made); !done) return pass(done);
    return made;
  }
  auto certificate = host::read_file(files.certificate, "the authority's certificate", kLongestFile);
  if (!certificate) return pass(certificate);
  auto key = host::read_file(files.private_key, "the authority's key", kLongestFile);
  if (!key) return pass(key);
  return Credentials{std::string(as_text(*certificate)), std::string(as_text(*key))};
}

}  // namespace

Result<void> make_certificate(const std::string& folder, const std::string& host) {
  if (host.find('/') != std::string::npos || host == "ca") {
    return fail(ErrorKind::kUsage, "a certificate's host becomes a file's name: it has no / and is not 'ca'");
  }
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorKind::kEnvironment, "the folder " + folder + " cannot be made (" + std::strerror(errno) + ")");
  }
  const Files files(folder, host);
  for (const std::string& path : {files.certificate, files.private_key}) {
    if (exists(path)) return fail(ErrorKind::kEnvironment, path + " exists already; it is not overwritten");
  }
  auto authority = authority_in(folder);
  if (!authority) return pass(authority);
  auto made = failover::driver::make_certificate(host, *authority);
  if (!made) return pass(made);
  return write_pair(files, *made);
}

}  // namespace pollux::api
