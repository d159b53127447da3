#include "session/log_source.h"

namespace pollux::session {

Result<void> LogSource::open() {
  while (!reader_.header() && reader_.state() == log::LogState::kReading)
    if (auto r = feed(); !r) return r;
  if (!reader_.header()) return fail(ErrorKind::kFormat, reader_.sentence());
  if (header().start != log::StartPoint::kPowerOn)
    return fail(ErrorKind::kFormat, "the log goes on from checkpoint " + header().checkpoint +
                                        ", but this program replays from power-on only");
  return {};
}

Result<Next> LogSource::next() {
  while (true) {
    if (auto entry = reader_.next()) return Next(std::move(*entry));
    if (reader_.state() != log::LogState::kReading) return Next(SourceEnd{reader_.sentence()});
    if (auto r = feed(); !r) return pass(r);
  }
}

Result<void> LogSource::feed() {
  Result<Bytes> piece = read_();
  if (!piece) return pass(piece);
  if (piece->empty()) {
    reader_.finish();
  } else {
    reader_.feed(*piece);
  }
  return {};
}

ReadPiece read_from(Bytes bytes) {
  return [rest = std::move(bytes)]() mutable -> Result<Bytes> { return std::exchange(rest, {}); };
}

}  // namespace pollux::session
