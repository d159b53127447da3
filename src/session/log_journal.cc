#include "session/log_journal.h"

namespace pollux::session {

LogJournal::LogJournal(world::World& world, world::ByteSink& sink, const log::LogHeader& header)
    : world_(world), sink_(sink), writer_(header) {}

Result<void> LogJournal::open() { return write_frames(); }

Result<void> LogJournal::append(const log::Entry& entry) {
  writer_.add(entry);
  if (std::holds_alternative<log::Mark>(entry.body)) writer_.flush();
  return write_frames();
}

Result<void> LogJournal::emit(door::OutputAt output) {
  world_.perform(output.output);
  return {};
}

Result<void> LogJournal::close(door::Position position, u64 digest) {
  writer_.add({position, log::End{digest}});
  writer_.flush();
  if (auto r = write_frames(); !r) return r;
  return sink_.sync(world::ByteSink::Survives::kHost);
}

Result<void> LogJournal::write_frames() {
  const Bytes bytes = writer_.take();
  return bytes.empty() ? Result<void>() : sink_.write(bytes);
}

}  // namespace pollux::session
