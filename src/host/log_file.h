// A log in a file. Bytes are appended as they come; nothing is kept in the process, so a killed process loses
// nothing that was written. After a failed write (a full disk) the file may end within a frame; readers stop at the
// last good one.
#pragma once

#include <memory>
#include <string>

#include "host/fd.h"
#include "world/byte_sink.h"

namespace pollux::host {

class LogFile final : public world::ByteSink {
 public:
  // Makes the file, or empties one that is there. Refuses a folder, and a log that another process is writing.
  static Result<std::unique_ptr<LogFile>> create(const std::string& path);

  Result<void> write(ByteSpan bytes) override;
  Result<void> sync(Survives what) override;
  u64 bytes_written() const { return bytes_written_; }

 private:
  LogFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::string path_;
  u64 bytes_written_ = 0;
  bool failed_ = false;
};

}  // namespace pollux::host
