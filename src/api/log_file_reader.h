// A log file in pieces, for session::LogSource.
#pragma once

#include <string>

#include "session/log_source.h"

namespace pollux::api {
Result<session::ReadPiece> read_pieces(const std::string& path);

// The sentence about a log's contents, with the log's name before it.
std::unexpected<Error> unreadable(const std::string& path, const Error& error);
}  // namespace pollux::api
