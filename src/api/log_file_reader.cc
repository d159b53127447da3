#include "api/log_file_reader.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include <sys/stat.h>

namespace pollux::api {

Result<session::ReadPiece> read_pieces(const std::string& path) {
  struct stat about;
  if (::stat(path.c_str(), &about) != 0) {
    return fail(ErrorKind::kEnvironment, "the log " + path + " cannot be read: " + std::strerror(errno));
  }
  if (S_ISDIR(about.st_mode)) return fail(ErrorKind::kEnvironment, "the log " + path + " is a folder");
  auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
  if (!*file) return fail(ErrorKind::kEnvironment, "the log " + path + " cannot be read: " + std::strerror(errno));
  return [file, path]() -> Result<Bytes> {
    Bytes piece(1 << 20);
    file->read(reinterpret_cast<char*>(piece.data()), std::streamsize(piece.size()));
    if (file->bad()) return fail(ErrorKind::kEnvironment, "the log " + path + " cannot be read to its end");
    piece.resize(std::size_t(file->gcount()));
    return piece;
  };
}

std::unexpected<Error> unreadable(const std::string& path, const Error& error) {
  return fail(error.kind, path + ": " + error.sentence);
}

}  // namespace pollux::api
