// A log file in pieces, for session::LogSource.
#pragma once

#include <string>

#include "session/log_source.h"

namespace pollux::api {
Result<session::ReadPiece> read_pieces(const std::string& path);
}  // namespace pollux::api
