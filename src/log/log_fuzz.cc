// Any bytes, fed in pieces, must give a state and a sentence, and what is read must be written back alike.
#include <cstdlib>
#include <vector>

#include "base/checksum.h"
#include "log/codec.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/statistics.h"

namespace {

using namespace pollux;

void require(bool condition) {
  if (!condition) std::abort();
}

std::vector<log::Entry> read(ByteSpan bytes, std::size_t piece, log::LogReader& reader) {
  std::vector<log::Entry> entries;
  log::Statistics statistics;
  while (!bytes.empty()) {
    const std::size_t count = std::min(piece, bytes.size());
    reader.feed(bytes.first(count));
    bytes = bytes.subspan(count);
    while (auto entry = reader.next()) {
      statistics.add(*entry, reader.entry_bytes());
      require(!log::describe(*entry).empty());
      entries.push_back(std::move(*entry));
    }
  }
  reader.finish();
  require(reader.state() != log::LogState::kReading);
  require(reader.sentence().empty() == (reader.state() == log::LogState::kEnded));
  require(!statistics.table().empty());
  return entries;
}

void any_file(ByteSpan bytes) {
  log::LogReader whole;
  log::LogReader pieces;
  const auto entries = read(bytes, bytes.size() + 1, whole);
  require(entries == read(bytes, 7, pieces) && whole.state() == pieces.state());
}

// The checksums stop a fuzzer at once, so the payload is also tried behind them.
void any_payload(ByteSpan bytes) {
  const auto entries = log::decode_entries(bytes);
  if (!entries) return;
  if (!entries->empty()) require(log::decode_entries(log::encode_entries(*entries)) == entries);
  log::LogWriter writer(log::LogHeader{"fuzz", {}, {}, {}, {}});
  for (const auto& entry : *entries) {
    writer.add(entry);
    if (std::holds_alternative<log::End>(entry.body)) break;
  }
  writer.flush();
  log::LogReader reader;
  const auto back = read(writer.take(), 4096, reader);
  require(back.size() <= entries->size() && std::equal(back.begin(), back.end(), entries->begin()));
}

// The same for a header's body.
void any_header(ByteSpan body) {
  ByteWriter file;
  file.put_bytes(as_bytes(log::kMagic));
  file.put<u32>(log::kFormatVersion);
  file.put<u32>(u32(body.size()));
  file.put_bytes(body);
  file.put<u64>(checksum(file.bytes()));
  log::LogReader reader;
  read(file.bytes(), 4096, reader);
  if (reader.header()) require(log::LogWriter(*reader.header()).bytes_made() <= file.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  any_file(bytes);
  any_payload(bytes);
  any_header(bytes);
  return 0;
}
